//! Matroska and `WebM` (RFC 9559, on EBML, RFC 8794): the segment's information and the first video track.

use std::io::{Read, Seek};
use std::ops::Range;
use std::time::Duration;

use super::Probed;
use super::window::Window;

const EBML: u64 = 0x1a45_dfa3;
const SEGMENT: u64 = 0x1853_8067;
const INFO: u64 = 0x1549_a966;
const TIMESTAMP_SCALE: u64 = 0x2a_d7b1;
const DURATION: u64 = 0x4489;
const TRACKS: u64 = 0x1654_ae6b;
const TRACK_ENTRY: u64 = 0xae;
const VIDEO: u64 = 0xe0;
const PIXEL_WIDTH: u64 = 0xb0;
const PIXEL_HEIGHT: u64 = 0xba;
const CLUSTER: u64 = 0x1f43_b675;

/// What a size of all ones means. Larger than any file.
const UNKNOWN_SIZE: u64 = u64::MAX;

/// Nanoseconds per tick where the file does not say.
const DEFAULT_SCALE: u64 = 1_000_000;

pub(super) fn read<R: Read + Seek>(window: &mut Window<R>) -> Option<Probed> {
    let file = 0..window.len();
    let (EBML, header) = next_element(window, file.clone())? else { return None };
    let (SEGMENT, segment) = next_element(window, header.end..file.end)? else { return None };

    let mut probed = Probed::default();
    let found = &mut probed.metadata;
    let mut at = segment.start;
    while let Some((id, content)) = next_element(window, at..segment.end) {
        at = content.end;
        match id {
            INFO => found.duration = duration(window, content),
            TRACKS => {
                probed.sound_only = is_sound_only(window, content.clone());
                (found.width, found.height) = dimensions(window, content).unzip();
            }
            // Sound and pictures. What describes them comes before.
            CLUSTER => break,
            _ => {}
        }
    }
    Some(probed)
}

/// Whether there are tracks, all of them were read, and none has pictures.
fn is_sound_only<R: Read + Seek>(window: &mut Window<R>, tracks: Range<u64>) -> bool {
    let mut at = tracks.start;
    let mut entries = 0_u32;
    while let Some((id, content)) = next_element(window, at..tracks.end) {
        at = content.end;
        if id == TRACK_ENTRY {
            entries += 1;
            if find(window, content, VIDEO).is_some() {
                return false;
            }
        }
    }
    entries > 0 && at == tracks.end
}

fn duration<R: Read + Seek>(window: &mut Window<R>, info: Range<u64>) -> Option<f64> {
    let (mut scale, mut ticks) = (DEFAULT_SCALE, None);
    let mut at = info.start;
    while let Some((id, content)) = next_element(window, at..info.end) {
        at = content.end;
        match id {
            TIMESTAMP_SCALE => scale = unsigned(window, &content)?,
            DURATION => ticks = Some(float(window, &content)?),
            _ => {}
        }
    }
    let nanoseconds = ticks? * f64::from(u32::try_from(scale).ok()?);
    // Refuses what is negative, infinite, no number or too large.
    let duration = Duration::try_from_secs_f64(nanoseconds / 1e9).ok()?;
    Some(Duration::from_millis(u64::try_from(duration.as_millis()).ok()?).as_secs_f64())
}

fn dimensions<R: Read + Seek>(window: &mut Window<R>, tracks: Range<u64>) -> Option<(u32, u32)> {
    let mut at = tracks.start;
    loop {
        let entry = find(window, at..tracks.end, TRACK_ENTRY)?;
        at = entry.end;
        let Some(video) = find(window, entry, VIDEO) else { continue };
        let width = find(window, video.clone(), PIXEL_WIDTH)?;
        let height = find(window, video, PIXEL_HEIGHT)?;
        return Some((u32::try_from(unsigned(window, &width)?).ok()?, u32::try_from(unsigned(window, &height)?).ok()?));
    }
}

/// The content of the first element with this id.
fn find<R: Read + Seek>(window: &mut Window<R>, range: Range<u64>, wanted: u64) -> Option<Range<u64>> {
    let mut at = range.start;
    loop {
        let (id, content) = next_element(window, at..range.end)?;
        if id == wanted {
            return Some(content);
        }
        at = content.end;
    }
}

/// The element at the beginning of `range`: its id and where its content lies. `None` when there is none, or it claims to
/// be larger than what holds it; only a segment may, since a recording that was cut short still begins truthfully.
fn next_element<R: Read + Seek>(window: &mut Window<R>, range: Range<u64>) -> Option<(u64, Range<u64>)> {
    if range.is_empty() {
        return None;
    }
    let (id, size_at) = variable_number(window, range.start, true)?;
    let (size, content) = variable_number(window, size_at, false)?;
    let end = content.checked_add(size).filter(|end| *end <= range.end);
    match end {
        Some(end) => Some((id, content..end)),
        None if matches!(id, SEGMENT | CLUSTER) && content <= range.end => Some((id, content..range.end)),
        None => None,
    }
}

/// A number whose first byte says by its leading zeros how many bytes follow, and where it ends. Ids keep the marker bit.
fn variable_number<R: Read + Seek>(window: &mut Window<R>, at: u64, keep_marker: bool) -> Option<(u64, u64)> {
    let [first] = window.peek::<1>(at)?;
    let more = first.leading_zeros();
    if more > 7 {
        return None;
    }
    let mut value = u64::from(if keep_marker { first } else { first & 0x7f >> more });
    let mut at = at.checked_add(1)?;
    for _ in 0..more {
        let [byte] = window.peek::<1>(at)?;
        value = value << 8 | u64::from(byte);
        at = at.checked_add(1)?;
    }
    let bits = more.checked_add(1)?.checked_mul(7)?;
    if !keep_marker && value == 1_u64.checked_shl(bits)?.checked_sub(1)? {
        return Some((UNKNOWN_SIZE, at));
    }
    Some((value, at))
}

/// An unsigned integer of at most eight bytes.
fn unsigned<R: Read + Seek>(window: &mut Window<R>, content: &Range<u64>) -> Option<u64> {
    let length = usize::try_from(content.end.checked_sub(content.start)?).ok()?;
    let mut bytes = [0; 8];
    window.fill(content.start, bytes.get_mut(8_usize.checked_sub(length)?..)?)?;
    Some(u64::from_be_bytes(bytes))
}

/// A number of four or eight bytes.
fn float<R: Read + Seek>(window: &mut Window<R>, content: &Range<u64>) -> Option<f64> {
    match content.end.checked_sub(content.start)? {
        4 => window.peek(content.start).map(f32::from_be_bytes).map(f64::from),
        8 => window.peek(content.start).map(f64::from_be_bytes),
        _ => None,
    }
}
