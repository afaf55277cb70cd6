//! JPEG.
//!
//! `image` decodes it with `zune-jpeg` too, but it neither shows whether a picture is progressive, on which the memory
//! depends, nor takes a limit of scans, on which the time depends: the decoder has all bytes before it begins, so that no
//! input can stop it.

use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, RgbImage};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use crate::decoding::{Bounds, Decoded};

/// The most scans of a progressive picture. Encoders write 10 and fewer; each goes through all of the picture again,
/// whatever little it adds.
const MAX_SCANS: usize = 24;

/// The bytes that the decoder keeps of each component of a pixel until it has seen all scans.
const COEFFICIENT_BYTES: u64 = 2;

/// Decodes a picture. `None` when it cannot be decoded, or not within the bounds.
pub(crate) fn decode(bytes: &[u8], bounds: &Bounds) -> Option<Decoded> {
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX)
        .jpeg_set_max_scans(MAX_SCANS);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().ok()?;
    let info = decoder.info()?;
    let is_gray = decoder.input_colorspace()? == ColorSpace::Luma;
    let (out, channels) = if is_gray { (ColorSpace::Luma, 1) } else { (ColorSpace::RGB, 3) };
    let kept = if is_one_scan(bytes) == Some(true) { 0 } else { COEFFICIENT_BYTES * u64::from(info.components) };
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    // The header's metadata are copied.
    bounds.check(width, height, channels + kept, 2 * bytes.len())?;

    let profile = decoder.icc_profile();
    let orientation = decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif));
    decoder.set_options(options.jpeg_set_out_colorspace(out));
    let pixels = decoder.decode().ok()?;
    let image = if is_gray {
        DynamicImage::ImageLuma8(GrayImage::from_raw(width, height, pixels)?)
    } else {
        DynamicImage::ImageRgb8(RgbImage::from_raw(width, height, pixels)?)
    };
    Some(Decoded { image, orientation: orientation.unwrap_or(Orientation::NoTransforms), profile })
}

/// Whether the picture is certain to be sequential with all components in the first scan, so that the decoder finishes
/// row by row (ITU T.81, B.2). `None` when it has anything unusual before the first scan.
fn is_one_scan(bytes: &[u8]) -> Option<bool> {
    let mut rest = bytes.strip_prefix(b"\xff\xd8")?;
    let mut components = None;
    loop {
        let [0xff, marker, tail @ ..] = rest else { return None };
        if *marker == 0xff {
            rest = rest.get(1..)?;
            continue;
        }
        let length = usize::from(u16::from_be_bytes(*tail.first_chunk()?));
        let segment = tail.get(2..length)?;
        match marker {
            // A frame of a sequential picture.
            0xc0 | 0xc1 if components.is_none() => components = Some(*segment.get(5)?),
            // Tables, application data, a comment.
            0xc4 | 0xdb | 0xdd | 0xe0..=0xef | 0xfe => {}
            0xda => return Some(components? == *segment.first()?),
            _ => return None,
        }
        rest = tail.get(length..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::is_one_scan;

    const START: &[u8] = b"\xff\xd8";
    const FRAME: &[u8] = b"\xff\xc0\0\x11\x08\0\x10\0\x10\x03\x01\x11\0\x02\x11\0\x03\x11\0";
    const SCAN_OF_ALL: &[u8] = b"\xff\xda\0\x0c\x03\x01\0\x02\x11\x03\x11\0\x3f\0";
    const SCAN_OF_ONE: &[u8] = b"\xff\xda\0\x08\x01\x01\0\0\x3f\0";

    #[test]
    fn pictures_that_are_decoded_row_by_row_are_told_from_others() {
        let comment = b"\xff\xfe\0\x04hi";
        assert_eq!(is_one_scan(&[START, comment, b"\xff", FRAME, SCAN_OF_ALL].concat()), Some(true));
        assert_eq!(is_one_scan(&[START, FRAME, comment, SCAN_OF_ONE].concat()), Some(false));
        let progressive = [START, FRAME, SCAN_OF_ALL].concat();
        let progressive: Vec<u8> =
            progressive.iter().enumerate().map(|(at, byte)| if at == 3 { 0xc2 } else { *byte }).collect();
        for unusual in [
            progressive,
            [START, FRAME, FRAME, SCAN_OF_ALL].concat(),
            [START, SCAN_OF_ALL].concat(),
            [START, b"\xff\x01", FRAME, SCAN_OF_ALL].concat(),
            [START, FRAME, b"garbage", SCAN_OF_ALL].concat(),
            [START, FRAME, b"\xff\xfe\0\0", SCAN_OF_ALL].concat(),
            [START, FRAME, b"\xff\xfe\xff\xff"].concat(),
            [START, FRAME].concat(),
            Vec::new(),
        ] {
            assert_eq!(is_one_scan(&unusual), None, "{unusual:x?}");
        }
    }
}
