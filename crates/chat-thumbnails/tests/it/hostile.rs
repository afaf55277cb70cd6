//! Files that are made to harm their reader. What the process takes for them is looked at in `chat-server`.

use chat_domain::model::{ThumbnailOutcome, ThumbnailSize};
use chat_testkit::media::{exif_jpeg, gif, jpeg, png, webp, zeros_png};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

use crate::support::{encoded, made, outcome, seen};

async fn none_of(bytes: Vec<u8>) {
    let start = bytes.get(..40).unwrap_or(&bytes).to_vec();
    let outcome = outcome(bytes, ThumbnailSize::Large).await;
    assert_eq!(outcome, ThumbnailOutcome::Impossible, "{start:x?}");
}

fn photograph() -> DynamicImage {
    let noise = |x: u32, y: u32| Rgb([x * y, x ^ y, x + y].map(|value| u8::try_from(value % 256).unwrap()));
    DynamicImage::ImageRgb8(RgbImage::from_fn(400, 300, noise))
}

#[tokio::test]
async fn headers_that_claim_too_many_pixels_are_believed_and_refused() {
    none_of(png(100_000, 100_000)).await;
    none_of(png(2_147_483_647, 2_147_483_647)).await;
    none_of(png(7_072, 7_072)).await;
    none_of(jpeg(65_500, 65_500, 0)).await;
    none_of(gif(65_535, 65_535)).await;
    none_of(webp(1 << 24, 1 << 24)).await;
    none_of(webp(16_384, 16_384)).await;
}

#[tokio::test]
async fn pixels_that_take_too_much_memory_are_refused_although_they_are_few_enough() {
    // 49 megapixels of which each takes a byte, and of which each takes four.
    let grey = made(zeros_png(7_000, 7_000, 0, 0), ThumbnailSize::Small).await;
    assert_eq!(seen(&grey).width(), 160);
    none_of(zeros_png(7_000, 7_000, 6, 0)).await;
}

#[tokio::test]
async fn headers_that_claim_pixels_that_do_not_come_are_refused() {
    none_of(png(4_000, 4_000)).await;
    none_of(png(0, 1)).await;
    none_of(webp(100, 100)).await;
    none_of(gif(0, 0)).await;
    // Chunks and segments of impossible lengths.
    none_of(b"\x89PNG\r\n\x1a\n\xff\xff\xff\xffIHDR".to_vec()).await;
    none_of(b"\xff\xd8\xff\xe1\xff\xff".to_vec()).await;
    none_of(b"RIFF\xff\xff\xff\xffWEBPVP8X\xff\xff\xff\xff\x10\0\0\0\x01\0\0\x01\0\0".to_vec()).await;
    none_of(b"RIFF\xff\xff\xff\xffWEBPVP8L\xff\xff\xff\xff\x2f\xff\xff\xff\x0f".to_vec()).await;
    none_of(b"GIF89a".to_vec()).await;
    none_of(b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec()).await;
    none_of(b"II\x2a\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x08\0\0\0\x08\0\0\0".to_vec()).await;
}

#[tokio::test]
async fn a_webp_whose_frame_is_larger_than_its_canvas_is_refused() {
    let lossy = b"VP8 \x0a\0\0\0\x10\x02\0\x9d\x01\x2a\xff\x3f\xff\x3f";
    let mut still = webp(10, 10);
    still.truncate(30);
    none_of([&still[..], lossy].concat()).await;
    // Honest about a size that is too large.
    none_of([&b"RIFF\x16\0\0\0WEBP"[..], lossy].concat()).await;
}

#[tokio::test]
async fn a_webp_that_could_bring_too_many_code_tables_is_refused() {
    let noise = |x: u32, y: u32| {
        let value = (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(2_246_822_519)).wrapping_mul(3_266_489_917);
        Rgb(value.to_be_bytes()[..3].try_into().unwrap())
    };
    let file = |side| encoded(&DynamicImage::ImageRgb8(RgbImage::from_fn(side, side, noise)), ImageFormat::WebP);
    let (small, large) = (file(200), file(500));
    assert!(small.len() < 200_000 && large.len() > 500_000, "{} {}", small.len(), large.len());
    assert_eq!(seen(&made(small, ThumbnailSize::Large).await).width(), 200);
    none_of(large).await;
}

#[tokio::test]
async fn a_stream_that_unpacks_to_more_than_the_picture_is_not_unpacked_without_end() {
    // A picture of one pixel, and 300 megabytes behind it.
    let _made_or_not = outcome(zeros_png(1, 1, 0, 300_000_000), ThumbnailSize::Large).await;
}

#[tokio::test]
async fn of_ten_thousand_frames_the_first_is_shown() {
    let frame = b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0".repeat(10_000);
    let mut animated = gif(8, 8);
    animated.pop();
    animated.extend(frame);
    animated.push(b';');
    assert_eq!(seen(&made(animated, ThumbnailSize::Large).await).width(), 8);
    // A frame far larger than the picture.
    let mut large = gif(8, 8);
    let at = large.windows(5).position(|bytes| bytes == b"\x2c\0\0\0\0").unwrap() + 5;
    large.splice(at..at + 4, [0xff; 4]);
    none_of(large).await;
}

#[tokio::test]
async fn pictures_that_are_cut_anywhere_are_shown_or_refused() {
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Gif, ImageFormat::WebP] {
        let file = encoded(&photograph(), format);
        for twentieth in 1..20 {
            let cut = file.get(..file.len() * twentieth / 20).unwrap().to_vec();
            let _made_or_not = outcome(cut, ThumbnailSize::Small).await;
        }
    }
    let jpeg = encoded(&photograph(), ImageFormat::Jpeg);
    let half = jpeg.get(..jpeg.len() / 2).unwrap().to_vec();
    assert_eq!(seen(&made(half, ThumbnailSize::Large).await).width(), 400, "the rest is grey, as browsers show it");
}

#[tokio::test]
async fn pictures_with_damaged_bytes_are_shown_or_refused() {
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Gif, ImageFormat::WebP] {
        let file = encoded(&photograph(), format);
        for round in 0..60_usize {
            let mut damaged = file.clone();
            for change in 0..=round % 4 {
                // Headers, where it hurts, and some of the rest.
                let reach = if round % 3 == 0 { damaged.len() } else { damaged.len().min(700) };
                let at = (round * 7_919 + change * 104_729) % reach;
                if let Some(byte) = damaged.get_mut(at) {
                    *byte = u8::try_from((round * 31 + change * 17) % 256).unwrap();
                }
            }
            let _made_or_not = outcome(damaged, ThumbnailSize::Small).await;
        }
    }
}

#[tokio::test]
async fn exif_that_points_to_itself_or_nowhere_turns_nothing() {
    let jpeg = encoded(&photograph(), ImageFormat::Jpeg);
    for tiff in [
        &b"II\x2a\0\0\0\0\0"[..],
        b"II\x2a\0\x08\0\0\0\xff\xff",
        b"MM\0\x2a\xff\xff\xff\xff",
        b"II\x2a\0",
        b"II\x2a\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x08\0\0\0\x08\0\0\0",
        b"II\x2a\0\x08\0\0\0\x01\0\x12\x01\x07\0\xff\xff\xff\xff\x06\0\0\0",
    ] {
        let header = exif_jpeg(1, 1, tiff);
        let segment = header.get(20..20 + 2 + 2 + 6 + tiff.len()).unwrap();
        assert!(segment.starts_with(b"\xff\xe1"));
        let looping = [&b"\xff\xd8"[..], segment, jpeg.get(2..).unwrap()].concat();
        assert_eq!(seen(&made(looping, ThumbnailSize::Large).await).width(), 400, "{tiff:x?}");
    }
}

/// A progressive picture of one block whose last scan comes so often again.
fn progressive(scans: usize) -> Vec<u8> {
    let mut file = b"\xff\xd8\xff\xdb\0\x43\0".to_vec();
    file.extend([1; 64]);
    file.extend(b"\xff\xc2\0\x0b\x08\0\x08\0\x08\x01\x01\x11\0");
    for table in [0x00, 0x10] {
        // One code of one bit: no difference, and the end of the block.
        file.extend([0xff, 0xc4, 0, 20, table, 1]);
        file.extend([0; 16]);
    }
    file.extend(b"\xff\xda\0\x08\x01\x01\0\0\0\0\x7f");
    file.extend(b"\xff\xda\0\x08\x01\x01\0\x01\x3f\0\x7f".repeat(scans));
    file.extend(b"\xff\xd9");
    file
}

#[tokio::test]
async fn a_picture_of_very_many_scans_is_refused() {
    assert_eq!(seen(&made(progressive(9), ThumbnailSize::Large).await).width(), 8);
    none_of(progressive(90)).await;
}

#[tokio::test]
async fn a_file_of_more_bytes_than_a_picture_has_is_refused() {
    let mut file = encoded(&photograph(), ImageFormat::Png);
    file.resize(33 * 1024 * 1024, 0);
    none_of(file).await;
}
