//! Matroska and `WebM` (RFC 9559, on EBML, RFC 8794): the segment's information and the first video track.
//!
//! A browser's recorder writes the file while it records, so the segment states no duration. Then the last cluster is
//! looked for from the file's end, and its last block is the end of the recording.

use std::io::{Read, Seek};
use std::ops::Range;
use std::time::Duration;

use chat_domain::model::MediaMetadata;

use super::milliseconds;
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
const CLUSTER_TIMESTAMP: u64 = 0xe7;
const SIMPLE_BLOCK: u64 = 0xa3;
const BLOCK_GROUP: u64 = 0xa0;
const BLOCK: u64 = 0xa1;
const BLOCK_DURATION: u64 = 0x9b;

/// Ids of four bytes are those of a segment's own children: one of them ends a cluster of unknown size.
const FIRST_OF_SEGMENT: u64 = 0x1000_0000;

/// How far from the end of the file the last cluster is looked for. It begins with a key frame, or lasts 32 seconds at
/// most, since a block's time is stated in 16 bits.
const MAX_LAST_CLUSTER: u64 = 3 * 1024 * 1024;

/// What a size of all ones means. Larger than any file.
const UNKNOWN_SIZE: u64 = u64::MAX;

/// Nanoseconds per tick where the file does not say.
const DEFAULT_SCALE: u64 = 1_000_000;

pub(super) fn read<R: Read + Seek>(window: &mut Window<R>) -> Option<MediaMetadata> {
    let segment = segment(window)?;
    let mut found = MediaMetadata::default();
    let mut clock = MatroskaClock { scale: DEFAULT_SCALE, ticks: None };
    let mut first_cluster = None;
    let mut at = segment.start;
    while let Some((id, content)) = next_element(window, at..segment.end) {
        at = content.end;
        match id {
            INFO => clock = MatroskaClock::read(window, content).unwrap_or(clock),
            TRACKS => (found.width, found.height) = dimensions(window, content).unzip(),
            // Sound and pictures. What describes them comes before.
            CLUSTER => {
                first_cluster = Some(content);
                break;
            }
            _ => {}
        }
    }
    found.duration = clock.stated().or_else(|| clock.seconds(recorded_ticks(window, first_cluster?)?));
    Some(found)
}

/// What the file holds.
fn segment<R: Read + Seek>(window: &mut Window<R>) -> Option<Range<u64>> {
    let file = 0..window.len();
    let (EBML, header) = next_element(window, file.clone())? else { return None };
    let (SEGMENT, segment) = next_element(window, header.end..file.end)? else { return None };
    Some(segment)
}

/// How time is counted in a segment.
struct MatroskaClock {
    /// Nanoseconds per tick.
    scale: u64,
    /// The stated duration.
    ticks: Option<f64>,
}

impl MatroskaClock {
    fn read<R: Read + Seek>(window: &mut Window<R>, info: Range<u64>) -> Option<Self> {
        let mut clock = Self { scale: DEFAULT_SCALE, ticks: None };
        let mut at = info.start;
        while let Some((id, content)) = next_element(window, at..info.end) {
            at = content.end;
            match id {
                TIMESTAMP_SCALE => clock.scale = unsigned(window, &content)?,
                DURATION => clock.ticks = float(window, &content),
                _ => {}
            }
        }
        Some(clock)
    }

    /// The stated duration. A recorder that means to write it in the end may have left a 0.
    fn stated(&self) -> Option<f64> {
        let nanoseconds = self.ticks.filter(|ticks| *ticks > 0.0)? * f64::from(u32::try_from(self.scale).ok()?);
        // Refuses what is infinite or too large.
        milliseconds(Duration::try_from_secs_f64(nanoseconds / 1e9).ok()?)
    }

    fn seconds(&self, ticks: u64) -> Option<f64> {
        milliseconds(Duration::from_nanos(ticks.checked_mul(self.scale)?))
    }
}

/// From the first cluster to the end of the last block.
fn recorded_ticks<R: Read + Seek>(window: &mut Window<R>, first: Range<u64>) -> Option<u64> {
    let begin = find(window, first, CLUSTER_TIMESTAMP)?;
    let begin = unsigned(window, &begin)?;
    let id = u32::try_from(CLUSTER).ok()?.to_be_bytes();
    let (end, mut at) = (window.len(), window.len());
    loop {
        // The same bytes may stand in the middle of a picture.
        at = window.rfind(&id, at, MAX_LAST_CLUSTER.checked_sub(end.checked_sub(at)?)?)?;
        let cluster = next_element(window, at..end).filter(|(id, _)| *id == CLUSTER);
        if let Some(ticks) = cluster.and_then(|(_, content)| last_block(window, content)) {
            return ticks.checked_sub(begin);
        }
    }
}

/// When the last block of a cluster ends, or begins where its own duration is not stated. `None` when this is no cluster
/// with blocks.
fn last_block<R: Read + Seek>(window: &mut Window<R>, cluster: Range<u64>) -> Option<u64> {
    let (mut time, mut last) = (None, None);
    let mut at = cluster.start;
    while let Some((id, content)) = next_element(window, at..cluster.end).filter(|(id, _)| *id < FIRST_OF_SEGMENT) {
        at = content.end;
        let end = match id {
            CLUSTER_TIMESTAMP => {
                time = Some(unsigned(window, &content)?);
                continue;
            }
            SIMPLE_BLOCK => block_time(window, &content, time?),
            BLOCK_GROUP => {
                let block = find(window, content.clone(), BLOCK)?;
                let lasts = find(window, content, BLOCK_DURATION).and_then(|lasts| unsigned(window, &lasts));
                block_time(window, &block, time?).and_then(|begin| begin.checked_add(lasts.unwrap_or(0)))
            }
            _ => continue,
        };
        last = last.max(end);
    }
    // Where the window closed, there may be more.
    last.filter(|_| !window.is_closed())
}

/// The time of a block: the number of its track, then 16 bits that count from the cluster's time.
fn block_time<R: Read + Seek>(window: &mut Window<R>, block: &Range<u64>, cluster: u64) -> Option<u64> {
    let (_track, at) = variable_number(window, block.start, false)?;
    cluster.checked_add_signed(i64::from(i16::from_be_bytes(window.peek(at)?)))
}

/// Whether there are tracks, all of them were read, and none has pictures.
pub(super) fn is_sound_only<R: Read + Seek>(window: &mut Window<R>) -> bool {
    let Some(tracks) = segment(window).and_then(|segment| find(window, segment, TRACKS)) else { return false };
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
    // Where the window closed in the middle of a track, that track may have pictures.
    entries > 0 && at == tracks.end && !window.is_closed()
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

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use chat_testkit::media::{audio_track, element, webm};

    use super::is_sound_only;
    use crate::probe::window::Window;

    fn told_in(file: &[u8], reads: u32) -> bool {
        is_sound_only(&mut Window::new(Cursor::new(file)).unwrap().with_reads(reads))
    }

    #[test]
    fn a_window_that_closes_before_the_last_track_is_read_makes_no_sound_of_a_film() {
        // What describes the pictures lies so far behind the track's beginning that it takes a read of its own.
        let size = [element(b"\xb0", &[2, 128]), element(b"\xba", &[1, 224])].concat();
        let shown = element(b"\xae", &[element(b"\xec", &[0; 1000]), element(b"\xe0", &size)].concat());
        let film = webm(3000.0, &[audio_track(), shown].concat());
        for reads in 0..20 {
            assert!(!told_in(&film, reads), "after {reads} reads");
        }
        assert!(told_in(&webm(3000.0, &audio_track()), 20));
    }
}
