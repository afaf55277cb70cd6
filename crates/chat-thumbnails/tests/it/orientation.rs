//! Pictures that say how they are to be turned.

use chat_domain::model::ThumbnailSize;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ExtendedColorType, GenericImageView, ImageEncoder, ImageFormat, Rgb, RgbImage};

use crate::support::{alike, made, seen};

const WIDTH: u32 = 96;
const HEIGHT: u32 = 64;

/// Four corners in four colours.
fn upright(x: u32, y: u32) -> Rgb<u8> {
    match (x < WIDTH / 2, y < HEIGHT / 2) {
        (true, true) => Rgb([220, 20, 20]),
        (false, true) => Rgb([20, 200, 20]),
        (true, false) => Rgb([20, 20, 220]),
        (false, false) => Rgb([230, 230, 230]),
    }
}

/// Where the pixel in this column and row is shown: which side of the picture the first row and the first column are, after
/// the table of CIPA DC-008, 4.6.5.
fn shown_at(orientation: u16, column: u32, row: u32) -> (u32, u32) {
    let (right, bottom) = (WIDTH - 1, HEIGHT - 1);
    match orientation {
        1 => (column, row),
        2 => (right - column, row),
        3 => (right - column, bottom - row),
        4 => (column, bottom - row),
        5 => (row, column),
        6 => (right - row, column),
        7 => (right - row, bottom - column),
        8 => (row, bottom - column),
        unknown => panic!("no orientation {unknown}"),
    }
}

/// The picture as a camera stores it that was held so.
fn stored(orientation: u16) -> RgbImage {
    let (width, height) = if orientation < 5 { (WIDTH, HEIGHT) } else { (HEIGHT, WIDTH) };
    RgbImage::from_fn(width, height, |column, row| {
        let (x, y) = shown_at(orientation, column, row);
        upright(x, y)
    })
}

/// A directory with the orientation alone.
fn exif(orientation: u16) -> Vec<u8> {
    let mut tiff = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01".to_vec();
    tiff.extend(orientation.to_be_bytes());
    tiff.extend([0; 6]);
    tiff
}

pub(crate) fn turned_jpeg(orientation: u16) -> Vec<u8> {
    let picture = stored(orientation);
    let mut jpeg = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut jpeg, 95);
    encoder.set_exif_metadata(exif(orientation)).unwrap();
    encoder.write_image(&picture, picture.width(), picture.height(), ExtendedColorType::Rgb8).unwrap();
    jpeg
}

#[tokio::test]
async fn each_of_the_eight_orientations_is_shown_upright() {
    for orientation in 1..=8 {
        let seen = seen(&made(turned_jpeg(orientation), ThumbnailSize::Large).await);
        assert_eq!(seen.dimensions(), (WIDTH, HEIGHT), "{orientation}");
        let seen = seen.to_rgb8();
        // Away from the borders between the colours, which JPEG blurs.
        for (x, y) in [(10, 10), (80, 10), (10, 50), (80, 50), (30, 20), (60, 45)] {
            let pixel = seen.get_pixel(x, y).0;
            assert!(alike(pixel, upright(x, y).0), "orientation {orientation} at {x}, {y}: {pixel:?}");
        }
    }
}

#[tokio::test]
async fn a_picture_that_is_made_smaller_is_turned_too() {
    let wide =
        DynamicImage::ImageRgb8(stored(6)).resize_exact(HEIGHT * 20, WIDTH * 20, image::imageops::FilterType::Nearest);
    let mut jpeg = Vec::new();
    let mut encoder = JpegEncoder::new(&mut jpeg);
    encoder.set_exif_metadata(exif(6)).unwrap();
    encoder.write_image(wide.as_bytes(), wide.width(), wide.height(), ExtendedColorType::Rgb8).unwrap();
    for (size, width, height) in [(ThumbnailSize::Small, 160, 106), (ThumbnailSize::Large, 640, 426)] {
        let seen = seen(&made(jpeg.clone(), size).await);
        assert_eq!(seen.dimensions(), (width, height));
        let corner = seen.to_rgb8().get_pixel(width / 8, height / 8).0;
        assert!(alike(corner, upright(0, 0).0), "{size:?}: {corner:?}");
    }
}

#[tokio::test]
async fn an_orientation_that_there_is_not_turns_nothing() {
    let mut jpeg = turned_jpeg(1);
    for strange in [0_u16, 9, 0xffff] {
        let at = jpeg.windows(8).position(|bytes| bytes == b"\x01\x12\0\x03\0\0\0\x01").unwrap() + 8;
        jpeg.splice(at..at + 2, strange.to_be_bytes());
        let seen = seen(&made(jpeg.clone(), ThumbnailSize::Large).await);
        assert_eq!(seen.dimensions(), (WIDTH, HEIGHT), "{strange}");
    }
    assert_eq!(image::guess_format(&jpeg).unwrap(), ImageFormat::Jpeg);
}
