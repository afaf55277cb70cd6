//! What `image-webp` (0.2.4, read in its source) does not check, found before it decodes.
//!
//! - A lossy picture is unpacked in the size that its own header claims, before that is compared with the size of the
//!   canvas.
//! - A lossless picture may bring up to 327,680 code tables, each of which takes 12 bytes of the file and 4 KiB of memory.
//! - Metadata are read into a buffer of the size that their chunk claims, which may be 4 GiB.
//!
//! No parser is asked where a chunk lies, since it could find another chunk than the decoder does: each place where the
//! chunk could begin counts.

use image::metadata::Orientation;
use image::{ImageResult, codecs::webp::WebPDecoder};

use crate::decoding::{Bounds, Decoded, decode_within};
use crate::metered::MeteredInput;

/// How many bytes of memory a byte of code tables may take.
const TABLE_FACTOR: usize = 350;

/// A chunk's name and length.
const HEADER: usize = 8;

/// Decodes a picture, of several the first. `None` when it cannot be decoded, or not within the bounds.
pub(crate) fn decode(bytes: &[u8], input: MeteredInput<'_>, bounds: &Bounds) -> Option<Decoded> {
    let decoder: ImageResult<_> = WebPDecoder::new(input);
    let decoder = decoder.ok()?;
    let is_animated = decoder.has_animation();
    let claims = HeaderClaims::of(bytes);
    // Without transparency: what is unpacked, or the planes of a lossy picture. With it, the planes and the transparency
    // apart; a frame is unpacked apart from the picture too.
    let more = |has_alpha: bool| {
        if is_animated {
            11
        } else if has_alpha {
            7
        } else {
            4
        }
    };
    let besides = bytes.len().checked_add(claims.coded.checked_mul(TABLE_FACTOR)?)?;
    let orientation = chunk(bytes, *b"EXIF").and_then(Orientation::from_exif_chunk);
    let profile = chunk(bytes, *b"ICCP").map(<[u8]>::to_vec);
    let image = decode_within(decoder, bounds, besides, more, |width, height| {
        claims.lossy_pixels <= u64::from(width) * u64::from(height)
    })?;
    Some(Decoded { image, orientation: orientation.unwrap_or(Orientation::NoTransforms), profile })
}

/// What chunks claim, wherever one may begin.
#[derive(Debug, Default, PartialEq, Eq)]
struct HeaderClaims {
    /// The most pixels of a lossy picture.
    lossy_pixels: u64,
    /// The most bytes with code tables.
    coded: usize,
}

impl HeaderClaims {
    fn of(bytes: &[u8]) -> Self {
        let mut claims = Self::default();
        for (at, name) in bytes.windows(4).enumerate() {
            let rest = bytes.get(at..).unwrap_or_default();
            match name {
                b"VP8 " => claims.lossy_pixels = claims.lossy_pixels.max(lossy_pixels(rest).unwrap_or_default()),
                b"VP8L" | b"ALPH" => claims.coded = claims.coded.max(length(rest).unwrap_or_default()),
                _ => {}
            }
        }
        claims
    }
}

/// How many bytes of the file a chunk has.
fn length(chunk: &[u8]) -> Option<usize> {
    let claimed = u32::from_le_bytes(*chunk.get(4..)?.first_chunk()?);
    Some(chunk.len().saturating_sub(HEADER).min(usize::try_from(claimed).unwrap_or(usize::MAX)))
}

/// The size that the frame of a lossy picture claims (RFC 6386, 9.1).
fn lossy_pixels(chunk: &[u8]) -> Option<u64> {
    let [_, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1] = *chunk.get(HEADER..)?.first_chunk()? else { return None };
    let side = |bytes| u64::from(u16::from_le_bytes(bytes) & 0x3fff);
    Some(side([w0, w1]) * side([h0, h1]))
}

/// The content of the first chunk of this name in an extended file, if all chunks before it are whole.
fn chunk(bytes: &[u8], wanted: [u8; 4]) -> Option<&[u8]> {
    let mut rest = bytes.strip_prefix(b"RIFF")?.get(4..)?.strip_prefix(b"WEBP")?;
    loop {
        let name: [u8; 4] = *rest.first_chunk()?;
        let length = usize::try_from(u32::from_le_bytes(*rest.get(4..)?.first_chunk()?)).ok()?;
        let content = rest.get(HEADER..)?.get(..length)?;
        if name == wanted {
            return Some(content);
        }
        rest = rest.get(HEADER + length + length % 2..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOSSY: &[u8] = b"VP8 \x0a\0\0\0\x10\x02\0\x9d\x01\x2a\xff\xff\xff\x7f";

    #[test]
    fn a_lossy_frame_counts_wherever_it_is() {
        let pixels = 0x3fff * 0x3fff;
        for before in ["", "x", "RIFF1234WEBP", "ANMF12345678"] {
            let claims = HeaderClaims::of(&[before.as_bytes(), LOSSY].concat());
            assert_eq!(claims, HeaderClaims { lossy_pixels: pixels, coded: 0 }, "{before}");
        }
        assert_eq!(HeaderClaims::of(b"VP8 \x0a\0\0\0\x10\x02\0\x9d\x01\x2b\xff\xff\xff\x7f"), HeaderClaims::default());
        assert_eq!(HeaderClaims::of(&LOSSY[..17]), HeaderClaims::default());
    }

    #[test]
    fn coded_bytes_are_those_that_the_chunk_claims_and_the_file_has() {
        for (file, coded) in [
            (&b"VP8L\x02\0\0\0abcd"[..], 2),
            (b"VP8L\xff\xff\xff\xffabcd", 4),
            (b"ALPH\x03\0\0\0abcdVP8L\x01\0\0\0a", 3),
            (b"VP8L\x02\0\0", 0),
            (b"", 0),
        ] {
            assert_eq!(HeaderClaims::of(file).coded, coded, "{file:?}");
        }
    }

    #[test]
    fn a_chunk_is_read_only_if_it_is_whole() {
        let file = |claimed: u32| {
            let exif = [&b"EXIF"[..], &claimed.to_le_bytes(), b"tiff"].concat();
            [&b"RIFF\xff\xff\xff\xffWEBPVP8X\x03\0\0\0abc\0"[..], &exif].concat()
        };
        assert_eq!(chunk(&file(4), *b"EXIF"), Some(&b"tiff"[..]));
        assert_eq!(chunk(&file(4), *b"ICCP"), None);
        assert_eq!(chunk(&file(5), *b"EXIF"), None);
        assert_eq!(chunk(&file(u32::MAX), *b"EXIF"), None);
        assert_eq!(chunk(b"RIFF", *b"EXIF"), None);
    }
}
