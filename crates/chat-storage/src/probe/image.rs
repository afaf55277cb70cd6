//! The size of a picture in pixels.

use std::io::{BufReader, Read, Seek};

use chat_domain::model::MediaMetadata;

use super::exif;
use super::window::Window;

/// `imagesize` hops from segment to segment, and each hop discards the buffer.
const BUFFER_BYTES: usize = 512;

/// Width and height as the picture is shown. `imagesize` turns pictures of HEIF as they say, but not those of JPEG.
pub(super) fn dimensions<R: Read + Seek>(window: &mut Window<R>, media_type: &str) -> Option<MediaMetadata> {
    let size = imagesize::reader_size(BufReader::with_capacity(BUFFER_BYTES, &mut *window)).ok()?;
    let (width, height) = (u32::try_from(size.width).ok()?, u32::try_from(size.height).ok()?);
    let sideways = media_type == "image/jpeg" && exif::turns_sideways(window);
    let (width, height) = if sideways { (height, width) } else { (width, height) };
    Some(MediaMetadata { width: Some(width), height: Some(height), duration: None })
}
