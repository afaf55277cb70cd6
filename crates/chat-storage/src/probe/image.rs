//! The size of a picture in pixels.

use std::io::{BufReader, Read, Seek};

use chat_domain::model::MediaMetadata;

use super::window::Window;

/// `imagesize` hops from segment to segment, and each hop discards the buffer.
const BUFFER_BYTES: usize = 512;

/// Width and height as the header says, before any rotation that EXIF asks for.
pub(super) fn dimensions<R: Read + Seek>(window: &mut Window<R>) -> Option<MediaMetadata> {
    let size = imagesize::reader_size(BufReader::with_capacity(BUFFER_BYTES, window)).ok()?;
    Some(MediaMetadata {
        width: u32::try_from(size.width).ok(),
        height: u32::try_from(size.height).ok(),
        duration: None,
    })
}
