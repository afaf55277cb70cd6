//! FLAC (RFC 9639): the stream information block that every file begins with.

use std::io::{Read, Seek};

use super::seconds;
use super::window::Window;

/// Samples by sample rate; the number of samples may be unknown.
pub(super) fn duration<R: Read + Seek>(window: &mut Window<R>) -> Option<f64> {
    let [b'f', b'L', b'a', b'C', kind, 0, 0, 34] = window.peek::<8>(0)? else { return None };
    if kind & 0x7f != 0 {
        return None;
    }
    // Ten bytes into the block: 20 bits of rate, 3 of channels, 5 of sample size, 36 of sample count.
    let packed = window.u64_be(18)?;
    let (rate, samples) = (packed >> 44, packed & 0xf_ffff_ffff);
    if samples == 0 { None } else { seconds(samples, rate) }
}
