//! The dominant colours of pictures.

use std::fmt::Write;

use chat_testkit::media::{png, zeros_png};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};

use crate::orientation::turned_jpeg;
use crate::support::{alike, color, encoded};

/// Red, green, blue.
async fn seen(bytes: Vec<u8>) -> Option<[u8; 3]> {
    color(bytes).await.map(|color| [color.red, color.green, color.blue])
}

fn plain(colour: [u8; 3]) -> DynamicImage {
    DynamicImage::ImageRgb8(RgbImage::from_pixel(300, 200, Rgb(colour)))
}

#[tokio::test]
async fn a_picture_of_one_colour_has_that_colour() {
    for colour in [[0, 0, 0], [255, 255, 255], [200, 50, 100], [31, 32, 33], [128, 128, 128]] {
        for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif] {
            assert_eq!(seen(encoded(&plain(colour), format)).await, Some(colour), "{format:?}");
        }
        let jpeg = seen(encoded(&plain(colour), ImageFormat::Jpeg)).await.unwrap();
        assert!(jpeg.into_iter().zip(colour).all(|(one, other)| one.abs_diff(other) < 8), "{jpeg:?} {colour:?}");
    }
}

#[tokio::test]
async fn of_several_colours_it_is_the_one_of_most_pixels_and_not_their_mean() {
    let picture = RgbImage::from_fn(300, 200, |x, _| if x < 180 { Rgb([250, 10, 10]) } else { Rgb([10, 10, 250]) });
    assert_eq!(seen(encoded(&DynamicImage::ImageRgb8(picture), ImageFormat::Png)).await, Some([250, 10, 10]));
}

#[tokio::test]
async fn a_grey_picture_has_a_grey() {
    let grey = DynamicImage::ImageLuma8(plain([90, 90, 90]).to_luma8());
    for format in [ImageFormat::Png, ImageFormat::Jpeg] {
        let [red, green, blue] = seen(encoded(&grey, format)).await.unwrap();
        assert!(red.abs_diff(90) < 4 && red == green && green == blue, "{format:?}: {red} {green} {blue}");
    }
    assert_eq!(seen(zeros_png(7_000, 7_000, 0, 0)).await, Some([0, 0, 0]));
}

#[tokio::test]
async fn transparent_pixels_do_not_count() {
    // A third is seen, and less of it than half through another third.
    let column = |x: u32, _| match x % 3 {
        0 => Rgba([10, 200, 10, 255]),
        1 => Rgba([200, 10, 10, 100]),
        _ => Rgba([10, 10, 200, 0]),
    };
    let picture = DynamicImage::ImageRgba8(RgbaImage::from_fn(150, 100, column));
    for format in [ImageFormat::Png, ImageFormat::WebP] {
        assert_eq!(seen(encoded(&picture, format)).await, Some([10, 200, 10]), "{format:?}");
    }
    let nothing = DynamicImage::ImageRgba8(RgbaImage::from_pixel(150, 100, Rgba([1, 2, 3, 0])));
    assert_eq!(seen(encoded(&nothing, ImageFormat::Png)).await, None);
}

/// A picture of eight by eight pixels of one colour in four channels, as Adobe writes them: inverted (ITU T.81, and Adobe
/// Technical Note 5116).
fn cmyk_jpeg(channels: [u8; 4]) -> Vec<u8> {
    let mut file = b"\xff\xd8\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0\xff\xdb\0\x43\0".to_vec();
    file.extend([8; 64]);
    file.extend(b"\xff\xc0\0\x14\x08\0\x08\0\x08\x04\x01\x11\0\x02\x11\0\x03\x11\0\x04\x11\0");
    // Nine lengths of differences, each with a code of four bits; and the end of the block, with a code of one bit.
    file.extend(b"\xff\xc4\0\x1c\0\0\0\0\x09\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x02\x03\x04\x05\x06\x07\x08");
    file.extend(b"\xff\xc4\0\x14\x10\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    file.extend(b"\xff\xda\0\x0e\x04\x01\0\x02\0\x03\0\x04\0\0\x3f\0");
    let mut bits = String::new();
    for channel in channels {
        let difference = i32::from(channel) - 128;
        let length = 32 - difference.unsigned_abs().leading_zeros();
        let shown = if difference < 0 { difference + (1 << length) - 1 } else { difference };
        write!(bits, "{length:04b}").unwrap();
        if length > 0 {
            write!(bits, "{shown:0width$b}", width = usize::try_from(length).unwrap()).unwrap();
        }
        bits.push('0');
    }
    while !bits.len().is_multiple_of(8) {
        bits.push('1');
    }
    for byte in bits.as_bytes().chunks(8) {
        let byte = u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap();
        file.push(byte);
        if byte == 0xff {
            file.push(0);
        }
    }
    file.extend(b"\xff\xd9");
    file
}

#[tokio::test]
async fn the_four_channels_of_print_become_red_green_and_blue() {
    let shown = seen(cmyk_jpeg([200, 100, 50, 255])).await.unwrap();
    assert!(alike(shown, [200, 100, 50]), "{shown:?}");
    let black = seen(cmyk_jpeg([200, 100, 50, 0])).await.unwrap();
    assert!(alike(black, [0, 0, 0]), "{black:?}");
}

#[tokio::test]
async fn of_an_animation_the_first_frame_counts() {
    let mut animation = encoded(&plain([250, 10, 10]), ImageFormat::Gif);
    let other = encoded(&plain([10, 10, 250]), ImageFormat::Gif);
    let frame = |file: &[u8]| file.windows(5).position(|bytes| bytes == b"\x2c\0\0\0\0").unwrap();
    animation.pop();
    animation.extend(other.get(frame(&other)..).unwrap());
    assert_eq!(seen(animation).await, Some([250, 10, 10]));
}

#[tokio::test]
async fn a_picture_that_is_turned_has_the_colour_that_is_seen() {
    for orientation in [1, 3, 6, 8] {
        let quarter = seen(turned_jpeg(orientation)).await.unwrap();
        let quarters = [[220, 20, 20], [20, 200, 20], [20, 20, 220], [230, 230, 230]];
        assert!(quarters.into_iter().any(|colour| alike(colour, quarter)), "{orientation}: {quarter:?}");
    }
}

#[tokio::test]
async fn a_picture_that_cannot_be_decoded_within_the_bounds_has_no_colour() {
    for bytes in [
        png(40, 30),
        png(100_000, 100_000),
        zeros_png(7_000, 7_000, 6, 0),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec(),
        b"\xff\xd8\xff\xe1\xff\xff".to_vec(),
    ] {
        assert_eq!(seen(bytes).await, None);
    }
}
