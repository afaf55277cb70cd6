//! Colours: what they mean, and which of them a picture has most of. A thumbnail has no profile, so that its colours are
//! those of sRGB, as in every picture without one; what another profile of the picture means is put into its place.
//! Telephones write such profiles into every photograph.

use chat_domain::model::Color;
use image::DynamicImage;
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};

/// The profiles of screens and cameras are a few hundred bytes. Larger ones are tables, of printers for example, which cost
/// more than they change.
const MAX_PROFILE_BYTES: usize = 16 * 1024;

/// The picture in the colours of sRGB. As it is, if the profile is none for it.
pub(crate) fn to_srgb(image: DynamicImage, profile: Option<&[u8]>) -> DynamicImage {
    match profile.and_then(|profile| converted(&image, profile)) {
        Some(converted) => converted,
        None => image,
    }
}

fn converted(image: &DynamicImage, profile: &[u8]) -> Option<DynamicImage> {
    if profile.len() > MAX_PROFILE_BYTES || !image.color().has_color() {
        return None;
    }
    let profile = ColorProfile::new_from_slice(profile).ok()?;
    if profile.color_space != DataColorSpace::Rgb {
        return None;
    }
    let srgb = ColorProfile::new_srgb();
    let convert = |layout, from: &[u8], to: &mut [u8]| {
        let transform = profile.create_transform_8bit(layout, &srgb, layout, TransformOptions::default()).ok()?;
        transform.transform(from, to).ok()
    };
    if image.color().has_alpha() {
        let from = image.to_rgba8();
        let mut to = from.clone();
        convert(Layout::Rgba, &from, &mut to)?;
        Some(DynamicImage::ImageRgba8(to))
    } else {
        let from = image.to_rgb8();
        let mut to = from.clone();
        convert(Layout::Rgb, &from, &mut to)?;
        Some(DynamicImage::ImageRgb8(to))
    }
}

/// How many bits of a channel tell two colours apart that are counted apart.
const CELL_BITS: u32 = 3;

/// The pixels whose colours are close to each other.
#[derive(Clone, Default)]
struct Cell {
    opacity: u64,
    sums: [u64; 3],
}

/// The colour that most of a picture comes close to. Each channel has eight levels, which make 512 cells of colours; it is
/// the mean of the pixels in the fullest one, in which a pixel counts as much as it is opaque. `None` if nothing is to be
/// seen.
///
/// The mean of all pixels would be the grey or brown of no part of the picture.
pub(crate) fn dominant(image: &DynamicImage) -> Option<Color> {
    let mut cells = vec![Cell::default(); 1 << (3 * CELL_BITS)];
    for pixel in image.to_rgba8().pixels() {
        let [colour @ .., opacity] = pixel.0;
        let level = |index, value: u8| (index << CELL_BITS) | usize::from(value >> (u8::BITS - CELL_BITS));
        let cell = cells.get_mut(colour.into_iter().fold(0, level))?;
        let opacity = u64::from(opacity);
        cell.opacity += opacity;
        for (sum, value) in cell.sums.iter_mut().zip(colour) {
            *sum += opacity * u64::from(value);
        }
    }
    let fullest = cells.into_iter().max_by_key(|cell| cell.opacity)?;
    let mean = |sum: u64| sum.checked_div(fullest.opacity).and_then(|mean| u8::try_from(mean).ok());
    let [red, green, blue] = fullest.sums.map(mean);
    Some(Color { red: red?, green: green?, blue: blue? })
}
