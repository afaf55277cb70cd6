//! MP4, its ancestor of Apple's and its relatives of 3GPP (ISO 14496-12): the movie header and the track headers.

use std::io::{Read, Seek};
use std::ops::Range;

use chat_domain::model::MediaMetadata;

use super::fragments;
use super::iso_boxes::{Track, find, next_box, wide_or_not};
use super::seconds;
use super::window::Window;

/// How many tracks are told apart.
const MAX_TRACKS: usize = 16;

/// Duration, and the dimensions of the first track that has any.
pub(super) fn read<R: Read + Seek>(window: &mut Window<R>) -> Option<MediaMetadata> {
    let movie = find(window, 0..window.len(), *b"moov")?;
    let mut found = MediaMetadata::default();
    let (mut header, mut extends) = (None, None);
    let mut tracks = Vec::new();
    let mut at = movie.start;
    while let Some((kind, content)) = next_box(window, at..movie.end) {
        at = content.end;
        match &kind {
            b"mvhd" => header = Some(content.start),
            b"mvex" => extends = Some(content),
            b"trak" => {
                if tracks.len() < MAX_TRACKS {
                    tracks.extend(track(window, content.clone()));
                }
                if found.width.is_none()
                    && let Some((width, height)) = track_dimensions(window, content)
                {
                    (found.width, found.height) = (Some(width), Some(height));
                }
            }
            _ => {}
        }
    }
    let (scale, ticks) = header.and_then(|header| times(window, header)).unzip();
    found.duration = ticks.flatten().and_then(|ticks| seconds(ticks, scale?.into()));
    // A movie in fragments has no duration of its own.
    if let Some(extends) = extends
        && found.duration.is_none_or(|duration| duration <= 0.0)
    {
        for track in &mut tracks {
            track.sample_ticks = fragments::sample_ticks(window, extends.clone(), track.id).unwrap_or_default();
        }
        let stated = extended_duration(window, extends).and_then(|ticks| seconds(ticks, scale?.into()));
        found.duration = stated.or_else(|| fragments::duration(window, movie.end, &tracks));
    }
    Some(found)
}

/// Whether there are tracks, all of them were read, and none is shown.
pub(super) fn is_sound_only<R: Read + Seek>(window: &mut Window<R>) -> bool {
    let Some(movie) = find(window, 0..window.len(), *b"moov") else { return false };
    let (mut at, mut tracks) = (movie.start, 0_u32);
    while let Some((kind, content)) = next_box(window, at..movie.end) {
        at = content.end;
        if kind == *b"trak" {
            tracks += 1;
            if track_dimensions(window, content).is_some() {
                return false;
            }
        }
    }
    // Where the window closed in the middle of a track, that track may be shown.
    tracks > 0 && at == movie.end && !window.is_closed()
}

/// Time scale and duration as a header of a movie or of a track's media has them, in 32 or 64 bits. A duration of all
/// ones is unknown.
fn times<R: Read + Seek>(window: &mut Window<R>, at: u64) -> Option<(u32, Option<u64>)> {
    if window.peek::<1>(at)? == [1] {
        let (scale, ticks) = (window.u32_be(at.checked_add(20)?)?, window.u64_be(at.checked_add(24)?)?);
        Some((scale, (ticks != u64::MAX && ticks != u64::from(u32::MAX)).then_some(ticks)))
    } else {
        let (scale, ticks) = (window.u32_be(at.checked_add(12)?)?, window.u32_be(at.checked_add(16)?)?);
        Some((scale, (ticks != u32::MAX).then_some(ticks.into())))
    }
}

/// The duration of a movie with its fragments, in ticks of the movie. Recorders leave a 0.
fn extended_duration<R: Read + Seek>(window: &mut Window<R>, extends: Range<u64>) -> Option<u64> {
    let at = find(window, extends, *b"mehd")?.start;
    wide_or_not(window, at, 4).filter(|ticks| *ticks > 0)
}

fn track<R: Read + Seek>(window: &mut Window<R>, track: Range<u64>) -> Option<Track> {
    let header = find(window, track.clone(), *b"tkhd")?.start;
    let id = header.checked_add(if window.peek::<1>(header)? == [1] { 20 } else { 12 })?;
    let id = window.u32_be(id)?;
    let media = find(window, track, *b"mdia")?;
    let media = find(window, media, *b"mdhd")?.start;
    let (scale, _) = times(window, media)?;
    Some(Track { id, scale, sample_ticks: 0 })
}

/// The width and height at which a track is shown. Telephones film sideways and turn the picture by the matrix.
fn track_dimensions<R: Read + Seek>(window: &mut Window<R>, track: Range<u64>) -> Option<(u32, u32)> {
    let header = find(window, track, *b"tkhd")?.start;
    let matrix = header.checked_add(if window.peek::<1>(header)? == [1] { 52 } else { 40 })?;
    let (a, b) = (window.u32_be(matrix)?, window.u32_be(matrix.checked_add(4)?)?);
    // Both have 16 bits of whole pixels and 16 of a fraction.
    let width = window.u32_be(matrix.checked_add(36)?)? >> 16;
    let height = window.u32_be(matrix.checked_add(40)?)? >> 16;
    let turned = a == 0 && b != 0;
    match (width, height) {
        (0, _) | (_, 0) => None,
        _ if turned => Some((height, width)),
        shown => Some(shown),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use chat_testkit::media::{mp4, mp4_box, mvhd, trak};

    use super::is_sound_only;
    use crate::probe::window::Window;

    fn told_in(file: &[u8], reads: u32) -> bool {
        is_sound_only(&mut Window::new(Cursor::new(file)).unwrap().with_reads(reads))
    }

    #[test]
    fn a_window_that_closes_before_the_last_track_is_read_makes_no_sound_of_a_film() {
        // What describes the track lies so far behind its beginning that it takes a read of its own.
        let shown = [mp4_box(*b"free", &[0; 1000]), trak(640, 480, false)[8..].to_vec()].concat();
        let film = mp4(&[mvhd(600, 1800), trak(0, 0, false), mp4_box(*b"trak", &shown)]);
        for reads in 0..20 {
            assert!(!told_in(&film, reads), "after {reads} reads");
        }
        let voice = mp4(&[mvhd(600, 1800), trak(0, 0, false)]);
        assert!(told_in(&voice, 20));
    }
}
