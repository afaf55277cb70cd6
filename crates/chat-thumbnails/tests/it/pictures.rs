//! What a thumbnail is like.

use chat_domain::model::{ThumbnailFormat, ThumbnailSize};
use image::codecs::jpeg::JpegEncoder;
use image::{
    DynamicImage, ExtendedColorType, GenericImageView, ImageEncoder, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage,
};
use moxcms::ColorProfile;

use crate::support::{alike, encoded, made, seen};

fn gradient(width: u32, height: u32) -> DynamicImage {
    let colour =
        |x: u32, y: u32| Rgb([x * 255 / width, y * 255 / height, 128].map(|value| u8::try_from(value).unwrap()));
    DynamicImage::ImageRgb8(RgbImage::from_fn(width, height, colour))
}

#[tokio::test]
async fn a_thumbnail_shows_the_whole_picture_in_its_proportions() {
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Gif, ImageFormat::WebP] {
        let file = encoded(&gradient(800, 600), format);
        for (size, width, height) in [(ThumbnailSize::Small, 160, 120), (ThumbnailSize::Large, 640, 480)] {
            let thumbnail = made(file.clone(), size).await;
            assert_eq!(thumbnail.format, ThumbnailFormat::Jpeg, "{format:?}");
            let seen = seen(&thumbnail);
            assert_eq!(seen.dimensions(), (width, height), "{format:?}");
            let expected = gradient(width, height).to_rgb8();
            for (x, y, pixel) in seen.to_rgb8().enumerate_pixels() {
                assert!(alike(pixel.0, expected.get_pixel(x, y).0), "{format:?} at {x}, {y}: {pixel:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_thumbnail_is_not_larger_than_the_picture() {
    for (width, height, small, large) in [
        (1, 1, (1, 1), (1, 1)),
        (100, 50, (100, 50), (100, 50)),
        (300, 641, (74, 160), (299, 640)),
        (5_000, 1, (160, 1), (640, 1)),
    ] {
        let file = encoded(&gradient(width, height), ImageFormat::Png);
        assert_eq!(seen(&made(file.clone(), ThumbnailSize::Small).await).dimensions(), small, "{width} x {height}");
        assert_eq!(seen(&made(file, ThumbnailSize::Large).await).dimensions(), large, "{width} x {height}");
    }
}

#[tokio::test]
async fn transparent_pixels_stay_so_and_lend_no_colour() {
    // Red, with every other column transparent, in a colour that is not to be seen.
    let colour = |x: u32, _| if x.is_multiple_of(2) { Rgba([255, 0, 0, 255]) } else { Rgba([0, 0, 255, 0]) };
    let picture = DynamicImage::ImageRgba8(RgbaImage::from_fn(1280, 640, colour));
    for format in [ImageFormat::Png, ImageFormat::WebP] {
        let thumbnail = made(encoded(&picture, format), ThumbnailSize::Large).await;
        assert_eq!(thumbnail.format, ThumbnailFormat::WebP, "{format:?}");
        let pixel = seen(&thumbnail).get_pixel(300, 150).0;
        let [red, green, blue, alpha] = pixel;
        assert!(red > 250 && green < 5 && blue < 5 && alpha.abs_diff(128) < 5, "{format:?}: {pixel:?}");
    }
    // Opaque, although the file could say otherwise.
    let opaque = DynamicImage::ImageRgba8(RgbaImage::from_pixel(20, 20, Rgba([1, 2, 3, 255])));
    let thumbnail = made(encoded(&opaque, ImageFormat::Png), ThumbnailSize::Large).await;
    assert_eq!(thumbnail.format, ThumbnailFormat::Jpeg);
}

#[tokio::test]
async fn deep_grey_and_indexed_pictures_have_thumbnails() {
    let picture = gradient(200, 100);
    for picture in [
        DynamicImage::ImageLuma8(picture.to_luma8()),
        DynamicImage::ImageLumaA8(picture.to_luma_alpha8()),
        DynamicImage::ImageLuma16(picture.to_luma16()),
        DynamicImage::ImageRgb16(picture.to_rgb16()),
        DynamicImage::ImageRgba16(picture.to_rgba16()),
    ] {
        let kind = picture.color();
        let thumbnail = made(encoded(&picture, ImageFormat::Png), ThumbnailSize::Small).await;
        assert_eq!(seen(&thumbnail).dimensions(), (160, 80), "{kind:?}");
    }
    let grey = encoded(&DynamicImage::ImageLuma8(picture.to_luma8()), ImageFormat::Jpeg);
    assert_eq!(seen(&made(grey, ThumbnailSize::Small).await).dimensions(), (160, 80));
}

#[tokio::test]
async fn colours_of_another_profile_are_shown_as_they_are_meant() {
    let picture = RgbImage::from_pixel(100, 100, Rgb([200, 50, 50]));
    let file = |profile: Vec<u8>| {
        let mut jpeg = Vec::new();
        let mut encoder = JpegEncoder::new_with_quality(&mut jpeg, 100);
        encoder.set_icc_profile(profile).unwrap();
        encoder.write_image(&picture, 100, 100, ExtendedColorType::Rgb8).unwrap();
        jpeg
    };
    let p3 = ColorProfile::new_display_p3().encode().unwrap();
    let shown = async |profile| seen(&made(file(profile), ThumbnailSize::Small).await).to_rgb8().get_pixel(50, 50).0;
    let [red, green, blue] = shown(p3.clone()).await;
    // By the matrices and the curve of both spaces: 218, 24, 41.
    assert!(red.abs_diff(218) < 8 && green.abs_diff(24) < 12 && blue.abs_diff(41) < 12, "{red} {green} {blue}");
    // A profile that is sRGB, a profile that is cut off, and bytes that are no profile.
    for profile in [ColorProfile::new_srgb().encode().unwrap(), p3[..p3.len() / 2].to_vec(), vec![0xff; 3_000]] {
        let pixel = shown(profile).await;
        assert!(alike(pixel, [200, 50, 50]), "{pixel:?}");
    }
}

/// EXIF with a place in words, as the comment of a field of text.
const WHERE: &[u8] = b"52 deg 31 min north of Null Island";

#[tokio::test]
async fn nothing_of_the_metadata_is_in_a_thumbnail() {
    let mut tiff = b"II\x2a\0\x08\0\0\0\x01\0\x0e\x01\x02\0\x22\0\0\0\x1a\0\0\0\0\0\0\0".to_vec();
    tiff.extend(WHERE);
    let mut jpeg = Vec::new();
    let mut encoder = JpegEncoder::new(&mut jpeg);
    encoder.set_exif_metadata(tiff).unwrap();
    encoder.set_icc_profile(b"a profile of the camera 4711".to_vec()).unwrap();
    let picture = gradient(800, 600).to_rgb8();
    encoder.write_image(&picture, 800, 600, ExtendedColorType::Rgb8).unwrap();
    // Behind the start of the picture, a comment and what another program adds.
    let more = [&b"\xff\xfe\0\x10comment by Ann\xff\xe1\0\x18http://ns.adobe.com/xap/"[..], b""].concat();
    jpeg.splice(2..2, more);
    let contains = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    for part in [WHERE, b"4711", b"comment by Ann", b"adobe"] {
        assert!(contains(&jpeg, part));
        for size in ThumbnailSize::ALL {
            assert!(!contains(&made(jpeg.clone(), size).await.bytes, part), "{size:?}");
        }
    }
    for size in ThumbnailSize::ALL {
        let bytes = made(jpeg.clone(), size).await.bytes;
        assert!(!contains(&bytes, b"Exif") && !contains(&bytes, b"ICC_PROFILE"));
    }
}
