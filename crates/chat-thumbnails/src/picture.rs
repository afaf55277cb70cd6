//! From the bytes of a picture to its thumbnails: pure computation, bounded before it begins.

use std::io::Cursor;

use bytes::Bytes;
use chat_domain::model::{Color, Thumbnail, ThumbnailFormat, ThumbnailSize};
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::codecs::gif::GifDecoder;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat};

use crate::colours::{dominant, to_srgb};
use crate::decoding::{Bounds, Decoded, decode_within, limits};
use crate::jpeg;
use crate::metered::MeteredInput;
use crate::webp;

/// The most memory that a PNG takes for its rows and metadata, which it unpacks before its pixels.
const PNG_OVERHEAD: u64 = 8 * 1024 * 1024;

/// Of 1 to 100.
const JPEG_QUALITY: u8 = 80;

/// The thumbnails of a picture in all sizes, and what else its pixels say.
#[derive(Clone, Debug)]
pub(crate) struct ThumbnailSet {
    pub(crate) small: Thumbnail,
    pub(crate) large: Thumbnail,
    /// Of thumbnails that were saved before, it is not known.
    pub(crate) color: Option<Color>,
}

impl ThumbnailSet {
    pub(crate) fn get(&self, size: ThumbnailSize) -> &Thumbnail {
        match size {
            ThumbnailSize::Small => &self.small,
            ThumbnailSize::Large => &self.large,
        }
    }
}

/// Makes the thumbnails of a picture: decoding costs the most, and is done once for all sizes. `None` when none can be
/// made.
pub(crate) fn thumbnails(bytes: &[u8], bounds: &Bounds) -> Option<ThumbnailSet> {
    let Decoded { image, orientation, profile } = decode(bytes, bounds)?;
    let mut large = to_srgb(scaled(image, ThumbnailSize::Large)?, profile.as_deref());
    large.apply_orientation(orientation);
    let made = encode(&large)?;
    let small = scaled(large, ThumbnailSize::Small)?;
    Some(ThumbnailSet { small: encode(&small)?, large: made, color: dominant(&small) })
}

/// Decodes a picture, of several the first. Its first bytes say which type it has.
fn decode(bytes: &[u8], bounds: &Bounds) -> Option<Decoded> {
    let input = MeteredInput::new(bytes, bounds.time);
    match image::guess_format(bytes).ok()? {
        ImageFormat::Jpeg => jpeg::decode(bytes, bounds),
        ImageFormat::Png => finish(PngDecoder::with_limits(input, limits(PNG_OVERHEAD)).ok()?, bytes, bounds),
        ImageFormat::Gif => finish(GifDecoder::new(input).ok()?, bytes, bounds),
        ImageFormat::WebP => webp::decode(bytes, input, bounds),
        _ => None,
    }
}

/// Decodes a picture whose decoder keeps to its limit of memory.
fn finish(mut decoder: impl ImageDecoder, bytes: &[u8], bounds: &Bounds) -> Option<Decoded> {
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let profile = decoder.icc_profile().ok().flatten();
    // Scaling makes a copy in which transparent pixels count less.
    let pixel = u64::from(decoder.color_type().bytes_per_pixel());
    let scaling = |is_transparent| if is_transparent { pixel } else { 0 };
    // The metadata are copies.
    let image = decode_within(decoder, bounds, 2 * bytes.len(), scaling, |_, _| true)?;
    Some(Decoded { image, orientation, profile })
}

/// The picture with no side longer than that; as it is when it has none. Each pixel is the mean of those that it stands for,
/// weighted by how opaque they are.
fn scaled(image: DynamicImage, size: ThumbnailSize) -> Option<DynamicImage> {
    let (most, longest) = (size.pixels(), image.width().max(image.height()));
    if longest <= most {
        return Some(image);
    }
    let side = |side: u32| u64::from(side) * u64::from(most) / u64::from(longest);
    let (width, height) = (side(image.width()), side(image.height()));
    let (width, height) = (u32::try_from(width).ok()?.max(1), u32::try_from(height).ok()?.max(1));
    let mut scaled = DynamicImage::new(width, height, image.color());
    let how = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    Resizer::new().resize(&image, &mut scaled, &how).ok()?;
    Some(scaled)
}

/// JPEG, or WebP without loss where something is transparent. The encoders write nothing but pixels.
fn encode(image: &DynamicImage) -> Option<Thumbnail> {
    let mut bytes = Cursor::new(Vec::new());
    let is_transparent = image.color().has_alpha() && image.to_rgba8().pixels().any(|pixel| pixel.0[3] < u8::MAX);
    let format = if is_transparent {
        image.to_rgba8().write_with_encoder(WebPEncoder::new_lossless(&mut bytes)).ok()?;
        ThumbnailFormat::WebP
    } else {
        image.to_rgb8().write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY)).ok()?;
        ThumbnailFormat::Jpeg
    };
    Some(Thumbnail { format, bytes: Bytes::from(bytes.into_inner()) })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chat_testkit::media::zeros_png;

    use super::*;

    #[test]
    fn a_picture_that_takes_too_long_is_given_up() {
        let picture = zeros_png(7_000, 7_000, 0, 0);
        assert!(thumbnails(&picture, &Bounds::default()).is_some());
        let short = Bounds { time: Duration::from_millis(1), ..Bounds::default() };
        assert!(thumbnails(&picture, &short).is_none());
    }
}
