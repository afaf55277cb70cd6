//! Ogg (RFC 3533) with Vorbis or Opus (RFC 7845): the position that the last page states.

use std::io::{Read, Seek};

use super::seconds;
use super::window::Window;

/// A page is at most this long.
const MAX_PAGE: u64 = 65_307;

/// Where the number that tells streams apart lies in a page.
const SERIAL_AT: usize = 14;

pub(super) fn duration<R: Read + Seek>(window: &mut Window<R>) -> Option<f64> {
    // A first page holds one packet of one segment, hence a header of 28 bytes.
    let serial: [u8; 4] = window.peek(14)?;
    let (rate, skipped) = if window.peek::<8>(28)? == *b"OpusHead" {
        (48_000, u64::from(u16::from_le_bytes(window.peek(38)?)))
    } else if window.peek::<7>(28)? == *b"\x01vorbis" {
        (u64::from(u32::from_le_bytes(window.peek(40)?)), 0)
    } else {
        return None;
    };
    let samples = last_position(window, serial)?;
    seconds(samples.checked_sub(skipped)?, rate)
}

/// The position that the last page of the stream states. It is searched backwards from the end of the file.
fn last_position<R: Read + Seek>(window: &mut Window<R>, serial: [u8; 4]) -> Option<u64> {
    let length = window.len().min(MAX_PAGE);
    let mut tail = vec![0; usize::try_from(length).ok()?];
    window.fill(window.len().checked_sub(length)?, &mut tail)?;
    let mut pages = tail.windows(SERIAL_AT + 4).rev().filter_map(|page| {
        let (position, of_stream) = page.strip_prefix(b"OggS\0")?.get(1..)?.split_first_chunk::<8>()?;
        let position = u64::from_le_bytes(*position);
        // All ones: no packet ends on that page.
        (*of_stream == serial && position != u64::MAX).then_some(position)
    });
    pages.next()
}
