//! EXIF in a JPEG (CIPA DC-008, which is TIFF in an APP1 segment): how the picture is to be turned before it is shown.
//!
//! Only the first directory is read, so that no pointer leads in a circle.

use std::io::{Read, Seek};
use std::ops::Range;

use super::window::Window;

const ORIENTATION: u16 = 0x0112;
/// The type of a field that is a number of 16 bits.
const SHORT: u16 = 3;

/// Whether browsers show the picture turned by a quarter, so that its width is what the header calls height.
pub(super) fn turns_sideways<R: Read + Seek>(window: &mut Window<R>) -> bool {
    exif_segment(window).and_then(|tiff| orientation(window, tiff)).is_some_and(|found| (5..=8).contains(&found))
}

/// Where the TIFF data of the first EXIF segment lie. Behind the beginning of the picture no browser looks for it.
fn exif_segment<R: Read + Seek>(window: &mut Window<R>) -> Option<Range<u64>> {
    let mut at = 2_u64;
    loop {
        let [0xff, marker, length @ ..] = window.peek::<4>(at)? else { return None };
        if marker == 0xff {
            // A fill byte.
            at = at.checked_add(1)?;
            continue;
        }
        // The start of the scan, or markers that have no length and no place here.
        if matches!(marker, 0x00 | 0x01 | 0xd0..=0xda) {
            return None;
        }
        let content = at.checked_add(4)?;
        let end = at.checked_add(2)?.checked_add(u64::from(u16::from_be_bytes(length)))?;
        if marker == 0xe1 && end >= content.checked_add(6)? && window.peek(content)? == *b"Exif\0\0" {
            return Some(content.checked_add(6)?..end);
        }
        at = end;
    }
}

/// The field of this name in the first directory.
fn orientation<R: Read + Seek>(window: &mut Window<R>, tiff: Range<u64>) -> Option<u16> {
    let ([o0, o1, 42, 0, b @ ..] | [o0, o1, 0, 42, b @ ..]) = window.peek::<8>(tiff.start)? else { return None };
    let little = match [o0, o1] {
        [b'I', b'I'] => true,
        [b'M', b'M'] => false,
        _ => return None,
    };
    let u16_of = |bytes| if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) };
    let offset = if little { u32::from_le_bytes(b) } else { u32::from_be_bytes(b) };
    let directory = tiff.start.checked_add(u64::from(offset))?;
    let count = u16_of(window.peek(directory)?);
    let mut at = directory.checked_add(2)?;
    for _ in 0..count {
        let next = at.checked_add(12)?;
        if next > tiff.end {
            return None;
        }
        let [t0, t1, k0, k1, _, _, _, _, v0, v1] = window.peek::<10>(at)?;
        if u16_of([t0, t1]) == ORIENTATION {
            return (u16_of([k0, k1]) == SHORT).then(|| u16_of([v0, v1]));
        }
        at = next;
    }
    None
}
