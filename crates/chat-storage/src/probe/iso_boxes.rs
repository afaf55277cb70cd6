//! The boxes of MP4 (ISO 14496-12, 4.2), which movies and their fragments are made of.

use std::io::{Read, Seek};
use std::ops::Range;

use super::window::Window;

/// A box: its kind, and where its content lies.
pub(super) type Box4 = ([u8; 4], Range<u64>);

/// What fragments refer to.
#[derive(Clone, Copy)]
pub(super) struct Track {
    pub(super) id: u32,
    /// Ticks a second.
    pub(super) scale: u32,
    /// How many ticks a sample lasts that does not say.
    pub(super) sample_ticks: u32,
}

/// The box at the beginning of `range`. `None` when there is none, or it claims to be larger than what holds it: such a
/// length is not believed, and nothing behind it can be found.
pub(super) fn next_box<R: Read + Seek>(window: &mut Window<R>, range: Range<u64>) -> Option<Box4> {
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
pub(super) fn find<R: Read + Seek>(window: &mut Window<R>, range: Range<u64>, wanted: [u8; 4]) -> Option<Range<u64>> {
    let mut at = range.start;
    loop {
        let (kind, content) = next_box(window, at..range.end)?;
        if kind == wanted {
            return Some(content);
        }
        at = content.end;
    }
}

/// A number of 64 bits in version 1 of a box, of 32 bits in version 0.
pub(super) fn wide_or_not<R: Read + Seek>(window: &mut Window<R>, at: u64, skipped: u64) -> Option<u64> {
    let number = at.checked_add(skipped)?;
    if window.peek::<1>(at)? == [1] { window.u64_be(number) } else { window.u32_be(number).map(u64::from) }
}
