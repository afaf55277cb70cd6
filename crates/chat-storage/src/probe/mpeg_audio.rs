//! MPEG audio layer III (ISO 11172-3, 13818-3): the number of frames where the first frame states it, otherwise the bit
//! rate if it is the same in the first frames.

use std::io::{Read, Seek};

use super::seconds;
use super::window::Window;

/// How far behind the tag the first frame is looked for.
const SEARCH_BYTES: u64 = 4096;

/// How many frames must agree before the bit rate is believed to be constant.
const COMPARED_FRAMES: u32 = 8;

/// No frame is shorter than this many bytes.
const MIN_FRAME: u64 = 24;

/// What a frame header says.
#[derive(Clone, Copy, PartialEq, Eq)]
struct MpegFrame {
    /// Bytes of the frame.
    length: u64,
    /// Bits per second.
    bit_rate: u64,
    /// Samples per second.
    sample_rate: u64,
    /// Samples in the frame.
    samples: u64,
    /// Bytes between the header and the frame's data.
    side_information: u64,
}

pub(super) fn duration<R: Read + Seek>(window: &mut Window<R>) -> Option<f64> {
    let start = behind_tag(window)?;
    let (at, frame) = first_frame(window, start)?;
    let sound = window.len().checked_sub(at)?;
    if let Some(frames) = stated_frames(window, at, frame) {
        let honest = frames > 0 && frames.checked_mul(MIN_FRAME)? <= sound;
        return if honest { seconds(frames.checked_mul(frame.samples)?, frame.sample_rate) } else { None };
    }
    has_constant_rate(window, at, frame).then(|| seconds(sound.checked_mul(8)?, frame.bit_rate)).flatten()
}

/// Where the file goes on behind an ID3 tag. Its length has 7 bits a byte.
fn behind_tag<R: Read + Seek>(window: &mut Window<R>) -> Option<u64> {
    let [b'I', b'D', b'3', _, _, flags, size @ ..] = window.peek::<10>(0)? else { return Some(0) };
    let size = size.iter().fold(0_u64, |size, byte| (size << 7) | u64::from(byte & 0x7f));
    let footer = if flags & 0x10 == 0 { 0 } else { 10 };
    Some(size + 10 + footer)
}

fn first_frame<R: Read + Seek>(window: &mut Window<R>, start: u64) -> Option<(u64, MpegFrame)> {
    let length = window.len().checked_sub(start)?.min(SEARCH_BYTES);
    let mut head = vec![0; usize::try_from(length).ok()?];
    window.fill(start, &mut head)?;
    for (offset, header) in (start..).zip(head.windows(4)) {
        let Some(frame) = <[u8; 4]>::try_from(header).ok().and_then(frame) else { continue };
        // Four bytes are soon found by chance; a second frame right behind the first is not.
        let next = offset.checked_add(frame.length)?;
        if next == window.len() || window.peek(next).and_then(self::frame).is_some() {
            return Some((offset, frame));
        }
    }
    None
}

/// Reads a frame header of layer III.
fn frame([sync, kind, rates, mode]: [u8; 4]) -> Option<MpegFrame> {
    /// Kilobits per second of MPEG 1, and of MPEG 2 and 2.5.
    const BIT_RATES: [[u64; 16]; 2] = [
        [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0],
        [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0],
    ];
    const SAMPLE_RATES: [u64; 4] = [44_100, 48_000, 32_000, 0];

    if sync != 0xff || kind & 0xe6 != 0xe2 {
        return None;
    }
    let (table, divisor) = match kind >> 3 & 3 {
        3 => (0, 1),
        2 => (1, 2),
        0 => (1, 4),
        _ => return None,
    };
    let bit_rate = BIT_RATES.get(table)?.get(usize::from(rates >> 4))? * 1000;
    let sample_rate = SAMPLE_RATES.get(usize::from(rates >> 2 & 3))? / divisor;
    if bit_rate == 0 || sample_rate == 0 {
        return None;
    }
    let samples = if table == 0 { 1152 } else { 576 };
    let mono = mode >> 6 == 3;
    let side_information = match (table, mono) {
        (0, false) => 32,
        (0, true) | (_, false) => 17,
        (_, true) => 9,
    };
    let padding = u64::from(rates >> 1 & 1);
    Some(MpegFrame {
        length: samples / 8 * bit_rate / sample_rate + padding,
        bit_rate,
        sample_rate,
        samples,
        side_information,
    })
}

/// The number of frames that encoders put into an otherwise silent first frame: "Xing" or "Info" behind the side
/// information, or "VBRI" at its fixed place.
fn stated_frames<R: Read + Seek>(window: &mut Window<R>, at: u64, frame: MpegFrame) -> Option<u64> {
    let xing = at.checked_add(4)?.checked_add(frame.side_information)?;
    if let Some(b"Xing" | b"Info") = window.peek::<4>(xing).as_ref() {
        let has_frames = window.u32_be(xing.checked_add(4)?)? & 1 == 1;
        return if has_frames { window.u32_be(xing.checked_add(8)?).map(u64::from) } else { None };
    }
    let vbri = at.checked_add(36)?;
    if window.peek(vbri)? == *b"VBRI" {
        return window.u32_be(vbri.checked_add(14)?).map(u64::from);
    }
    None
}

fn has_constant_rate<R: Read + Seek>(window: &mut Window<R>, mut at: u64, first: MpegFrame) -> bool {
    let mut length = first.length;
    for _ in 0..COMPARED_FRAMES {
        let Some(next) = at.checked_add(length) else { return false };
        at = next;
        match window.peek(at).and_then(frame) {
            Some(next) if next.bit_rate == first.bit_rate => length = next.length,
            Some(_) => return false,
            // The end of the sound, or of the file.
            None => return true,
        }
    }
    true
}
