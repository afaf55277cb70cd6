//! MP4 and its ancestor of Apple's (ISO 14496-12): the movie header and the track headers.

use std::io::{Read, Seek};
use std::ops::Range;

use super::window::Window;
use super::{Probed, seconds};

/// A box: its kind, and where its content lies.
type Box4 = ([u8; 4], Range<u64>);

/// Duration, and the dimensions of the first track that has any.
pub(super) fn read<R: Read + Seek>(window: &mut Window<R>) -> Option<Probed> {
    let movie = find(window, 0..window.len(), *b"moov")?;
    let mut probed = Probed::default();
    let found = &mut probed.metadata;
    let (mut at, mut tracks) = (movie.start, 0_u32);
    while let Some((kind, content)) = next_box(window, at..movie.end) {
        at = content.end;
        match &kind {
            b"mvhd" => found.duration = movie_duration(window, content.start),
            // A movie in fragments has no duration of its own.
            b"mvex" if found.duration.is_none_or(|duration| duration <= 0.0) => {
                found.duration = fragments_duration(window, content, movie.clone());
            }
            b"trak" => {
                tracks += 1;
                if found.width.is_none()
                    && let Some((width, height)) = track_dimensions(window, content)
                {
                    (found.width, found.height) = (Some(width), Some(height));
                }
            }
            _ => {}
        }
    }
    // Said only of a movie that was read to its end.
    probed.sound_only = tracks > 0 && found.width.is_none() && at == movie.end;
    Some(probed)
}

/// The box at the beginning of `range`. `None` when there is none, or it claims to be larger than what holds it: such a
/// length is not believed, and nothing behind it can be found.
fn next_box<R: Read + Seek>(window: &mut Window<R>, range: Range<u64>) -> Option<Box4> {
    let [s0, s1, s2, s3, kind @ ..] = window.peek::<8>(range.start)?;
    let (header, size) = match u32::from_be_bytes([s0, s1, s2, s3]) {
        // To the end of what holds it.
        0 => (8, range.end.checked_sub(range.start)?),
        1 => (16, window.u64_be(range.start.checked_add(8)?)?),
        size => (8, u64::from(size)),
    };
    let end = range.start.checked_add(size)?;
    (size >= header && end <= range.end).then(|| (kind, range.start.saturating_add(header)..end))
}

/// The content of the first box of this kind.
fn find<R: Read + Seek>(window: &mut Window<R>, range: Range<u64>, wanted: [u8; 4]) -> Option<Range<u64>> {
    let mut at = range.start;
    loop {
        let (kind, content) = next_box(window, at..range.end)?;
        if kind == wanted {
            return Some(content);
        }
        at = content.end;
    }
}

/// Time scale and duration, in 32 or 64 bits. All ones: unknown.
fn movie_duration<R: Read + Seek>(window: &mut Window<R>, at: u64) -> Option<f64> {
    let (scale, duration) = if window.peek::<1>(at)? == [1] {
        (window.u32_be(at.checked_add(20)?)?, window.u64_be(at.checked_add(24)?)?)
    } else {
        (window.u32_be(at.checked_add(12)?)?, u64::from(window.u32_be(at.checked_add(16)?)?))
    };
    if duration == u64::MAX || duration == u64::from(u32::MAX) { None } else { seconds(duration, u64::from(scale)) }
}

fn fragments_duration<R: Read + Seek>(window: &mut Window<R>, extends: Range<u64>, movie: Range<u64>) -> Option<f64> {
    let header = find(window, movie, *b"mvhd")?.start;
    let wide = window.peek::<1>(header)? == [1];
    let scale = window.u32_be(header.checked_add(if wide { 20 } else { 12 })?)?;
    let at = find(window, extends, *b"mehd")?.start;
    let duration = if window.peek::<1>(at)? == [1] {
        window.u64_be(at.checked_add(4)?)?
    } else {
        u64::from(window.u32_be(at.checked_add(4)?)?)
    };
    seconds(duration, u64::from(scale))
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
