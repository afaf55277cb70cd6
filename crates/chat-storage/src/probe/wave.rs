//! RIFF WAVE: the format chunk and the length of the data chunk.

use std::io::{Read, Seek};

use super::seconds;
use super::window::Window;

/// The bytes of sound by bytes per second. Where the data chunk claims more bytes than the file has, as recordings do
/// that were written to a pipe, the bytes that are there count.
pub(super) fn duration<R: Read + Seek>(window: &mut Window<R>) -> Option<f64> {
    let mut at = 12_u64;
    let mut rate = None;
    loop {
        let [a, b, c, d, size @ ..] = window.peek::<8>(at)?;
        let size = u64::from(u32::from_le_bytes(size));
        let body = at.checked_add(8)?;
        match &[a, b, c, d] {
            b"fmt " => rate = Some(byte_rate(window, body)?),
            b"data" => return seconds(size.min(window.len().checked_sub(body)?), rate?),
            _ => {}
        }
        // Chunks begin at even positions.
        at = body.checked_add(size)?.checked_add(size & 1)?;
    }
}

/// Bytes per second. It is stated twice for plain samples, and must agree there.
fn byte_rate<R: Read + Seek>(window: &mut Window<R>, body: u64) -> Option<u64> {
    let [format_low, format_high, _, _, r0, r1, r2, r3, b0, b1, b2, b3, a0, a1] = window.peek::<14>(body)?;
    let format = u16::from_le_bytes([format_low, format_high]);
    let sample_rate = u64::from(u32::from_le_bytes([r0, r1, r2, r3]));
    let byte_rate = u64::from(u32::from_le_bytes([b0, b1, b2, b3]));
    let frame = u64::from(u16::from_le_bytes([a0, a1]));
    let plain_samples = matches!(format, 1 | 3);
    (!plain_samples || sample_rate.saturating_mul(frame) == byte_rate).then_some(byte_rate)
}
