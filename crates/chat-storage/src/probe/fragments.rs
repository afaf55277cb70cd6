//! Fragments of an MP4 (ISO 14496-12, 8.8), as Safari's recorder and live streams write them: the movie header comes
//! first and knows no duration, each fragment states when it begins and how long its samples last.

use std::io::{Read, Seek};
use std::ops::Range;

use super::iso_boxes::{Track, find, next_box, wide_or_not};
use super::seconds;
use super::window::Window;

/// How much of a table of samples is read at once.
const TABLE_BYTES: u64 = 16 * 1024;

/// What a track has of fragments so far, in its ticks.
#[derive(Clone, Copy)]
struct Played {
    begin: u64,
    end: u64,
}

/// From the beginning of the first fragment to the end of the last, behind `from`. `None` when not all of them could be
/// read.
pub(super) fn duration<R: Read + Seek>(window: &mut Window<R>, from: u64, tracks: &[Track]) -> Option<f64> {
    let mut played: Vec<Option<Played>> = vec![None; tracks.len()];
    let mut at = from;
    while let Some((kind, content)) = next_box(window, at..window.len()) {
        at = content.end;
        match &kind {
            b"moof" => add_fragment(window, content, tracks, &mut played)?,
            b"sidx" if played.iter().all(Option::is_none) => {
                if let Some(indexed) = indexed_duration(window, content) {
                    return Some(indexed);
                }
            }
            _ => {}
        }
    }
    if window.is_closed() {
        return None;
    }
    let lasts = tracks.iter().zip(played).filter_map(|(track, played)| {
        let Played { begin, end } = played?;
        seconds(end.checked_sub(begin)?, track.scale.into())
    });
    lasts.reduce(f64::max)
}

/// How many ticks a sample of this track lasts that does not say.
pub(super) fn sample_ticks<R: Read + Seek>(window: &mut Window<R>, extends: Range<u64>, id: u32) -> Option<u32> {
    let mut at = extends.start;
    loop {
        let found = find(window, at..extends.end, *b"trex")?;
        at = found.end;
        if window.u32_be(found.start.checked_add(4)?)? == id {
            return window.u32_be(found.start.checked_add(12)?);
        }
    }
}

fn add_fragment<R: Read + Seek>(
    window: &mut Window<R>,
    fragment: Range<u64>,
    tracks: &[Track],
    played: &mut [Option<Played>],
) -> Option<()> {
    let mut at = fragment.start;
    while let Some((kind, content)) = next_box(window, at..fragment.end) {
        at = content.end;
        if kind != *b"traf" {
            continue;
        }
        let header = find(window, content.clone(), *b"tfhd")?.start;
        let id = window.u32_be(header.checked_add(4)?)?;
        let Some((track, played)) = tracks.iter().zip(played.iter_mut()).find(|(track, _)| track.id == id) else {
            continue;
        };
        let stated = find(window, content.clone(), *b"tfdt").and_then(|time| wide_or_not(window, time.start, 4));
        let begin = stated.or(played.map(|played| played.end)).unwrap_or_default();
        let end = begin.checked_add(ticks(window, content, header, track.sample_ticks)?)?;
        *played = Some(played.map_or(Played { begin, end }, |before| Played { end: end.max(before.end), ..before }));
    }
    Some(())
}

/// How many ticks the samples of a track's part of a fragment last.
fn ticks<R: Read + Seek>(window: &mut Window<R>, part: Range<u64>, header: u64, of_track: u32) -> Option<u64> {
    let flags = window.u32_be(header)?;
    let ticks_at = header.checked_add(8 + 8 * u64::from(flags & 1) + 4 * u64::from(flags >> 1 & 1))?;
    let of_sample = if flags & 0x8 == 0 { of_track } else { window.u32_be(ticks_at)? };
    let (mut at, mut sum) = (part.start, 0_u64);
    while let Some((kind, content)) = next_box(window, at..part.end) {
        at = content.end;
        if kind == *b"trun" {
            sum = sum.checked_add(run_ticks(window, content, of_sample)?)?;
        }
    }
    Some(sum)
}

/// How many ticks the samples of a run last: each says so, or all last as long.
fn run_ticks<R: Read + Seek>(window: &mut Window<R>, run: Range<u64>, of_sample: u32) -> Option<u64> {
    let flags = window.u32_be(run.start)?;
    let count = u64::from(window.u32_be(run.start.checked_add(4)?)?);
    if flags & 0x100 == 0 {
        return count.checked_mul(of_sample.into());
    }
    let mut at = run.start.checked_add(8 + 4 * u64::from(flags & 1) + 4 * u64::from(flags >> 2 & 1))?;
    // Up to four fields of 32 bits, the first of which is wanted.
    let entry = 4 * u64::from((flags >> 8 & 0xf).count_ones());
    let end = at.checked_add(count.checked_mul(entry)?).filter(|end| *end <= run.end)?;
    let (mut table, mut sum) = (Vec::new(), 0_u64);
    while at < end {
        let length = end.checked_sub(at)?.min(TABLE_BYTES / entry * entry);
        table.resize(usize::try_from(length).ok()?, 0);
        window.fill(at, &mut table)?;
        for entry in table.chunks_exact(usize::try_from(entry).ok()?) {
            sum = sum.checked_add(u32::from_be_bytes(*entry.first_chunk()?).into())?;
        }
        at = at.checked_add(length)?;
    }
    Some(sum)
}

/// The duration that an index states which covers all that follows it (8.16.3).
fn indexed_duration<R: Read + Seek>(window: &mut Window<R>, index: Range<u64>) -> Option<f64> {
    let version = window.peek::<1>(index.start)?;
    let scale = window.u32_be(index.start.checked_add(8)?)?;
    let (offset, mut at) = if version == [0] {
        (u64::from(window.u32_be(index.start.checked_add(16)?)?), index.start.checked_add(20)?)
    } else {
        (window.u64_be(index.start.checked_add(20)?)?, index.start.checked_add(28)?)
    };
    let count = window.u16_be(at.checked_add(2)?)?;
    at = at.checked_add(4)?;
    let (mut covered, mut ticks) = (index.end.checked_add(offset)?, 0_u64);
    for _ in 0..count {
        let reference = window.u32_be(at)?;
        // The first bit is that of an index of an index.
        if reference >> 31 == 1 {
            return None;
        }
        covered = covered.checked_add(reference.into())?;
        ticks = ticks.checked_add(window.u32_be(at.checked_add(4)?)?.into())?;
        at = at.checked_add(12)?;
    }
    let complete = covered == window.len()
        || matches!(next_box(window, covered..window.len()), Some((kind, _)) if kind == *b"mfra");
    if complete { seconds(ticks, scale.into()) } else { None }
}
