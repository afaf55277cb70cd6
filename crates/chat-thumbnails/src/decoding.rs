//! Decoding within bounds that are checked before any pixel is.

use std::time::Duration;

use chat_domain::model::{MAX_THUMBNAIL_PIXELS, MAX_THUMBNAIL_SIDE};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, Limits};

/// The most memory that decoding one picture takes.
const MAX_MEMORY: u64 = 128 * 1024 * 1024;

/// How long decoding one picture occupies a processor.
const MAX_TIME: Duration = Duration::from_secs(2);

/// What decoding a picture may take.
pub(crate) struct Bounds {
    pub(crate) pixels: u64,
    pub(crate) memory: u64,
    pub(crate) time: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { pixels: MAX_THUMBNAIL_PIXELS, memory: MAX_MEMORY, time: MAX_TIME }
    }
}

impl Bounds {
    /// Whether a picture of this size may be decoded if that takes so many bytes for each pixel, and so many besides.
    pub(crate) fn check(&self, width: u32, height: u32, bytes_per_pixel: u64, besides: usize) -> Option<()> {
        let pixels = u64::from(width) * u64::from(height);
        if width.max(height) > MAX_THUMBNAIL_SIDE {
            return None;
        }
        let memory = pixels.saturating_mul(bytes_per_pixel).saturating_add(u64::try_from(besides).ok()?);
        ((1..=self.pixels).contains(&pixels) && memory <= self.memory).then_some(())
    }
}

/// A picture, how it is to be turned, and what its colours mean.
pub(crate) struct Decoded {
    pub(crate) image: DynamicImage,
    pub(crate) orientation: Orientation,
    pub(crate) profile: Option<Vec<u8>>,
}

/// A limit of memory.
pub(crate) fn limits(memory: u64) -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(memory);
    limits
}

/// Checks what the header says, and decodes if all is well. `besides` is the memory that does not depend on the pixels;
/// `more`, of a picture with or without transparency, is what the decoder takes for each pixel besides that of the result.
pub(crate) fn decode_within(
    mut decoder: impl ImageDecoder,
    bounds: &Bounds,
    besides: usize,
    more: impl Fn(bool) -> u64,
    is_plausible: impl Fn(u32, u32) -> bool,
) -> Option<DynamicImage> {
    let (width, height) = decoder.dimensions();
    let colours = decoder.color_type();
    bounds.check(width, height, u64::from(colours.bytes_per_pixel()) + more(colours.has_alpha()), besides)?;
    if !is_plausible(width, height) {
        return None;
    }
    let mut limits = limits(bounds.memory);
    limits.reserve(decoder.total_bytes()).ok()?;
    limits.reserve_usize(besides).ok()?;
    decoder.set_limits(limits).ok()?;
    DynamicImage::from_decoder(decoder).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the reference of files says for the formats.
    #[test]
    fn the_bound_of_memory_is_one_of_megapixels() {
        let fits = |bytes_per_pixel, megapixels: u32| {
            Bounds::default().check(megapixels * 1_000, 1_000, bytes_per_pixel, 0).is_some()
        };
        for (bytes_per_pixel, most) in
            [(1, 50), (2, 50), (3, 44), (6, 22), (7, 19), (8, 16), (9, 14), (11, 12), (14, 9), (15, 8), (16, 8)]
        {
            assert!(fits(bytes_per_pixel, most), "{bytes_per_pixel} {most}");
            assert!(!fits(bytes_per_pixel, most + 1), "{bytes_per_pixel} {most}");
        }
        // A JPEG of 6 MB, of which the file counts twice.
        let jpeg = |megapixels: u32| Bounds::default().check(megapixels * 1_000, 1_000, 3, 12_000_000).is_some();
        assert!(jpeg(40) && !jpeg(41));
    }

    #[test]
    fn no_side_is_longer_than_scaling_allows() {
        assert!(Bounds::default().check(65_535, 1, 1, 0).is_some());
        assert!(Bounds::default().check(1, 65_536, 1, 0).is_none());
        assert!(Bounds::default().check(0, 1, 1, 0).is_none());
    }
}
