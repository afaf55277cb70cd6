//! Colours. A thumbnail has no profile, so that its colours are those of sRGB, as in every picture without one; what another
//! profile of the picture means is put into its place. Telephones write such profiles into every photograph.

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
