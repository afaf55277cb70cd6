//! Small pictures of attachments.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::StoredObject;

/// The types of pictures that thumbnails are made of.
const PICTURES: [&str; 4] = ["image/gif", "image/jpeg", "image/png", "image/webp"];

/// The most bytes of a file that a thumbnail is made of.
pub const MAX_THUMBNAIL_SOURCE_BYTES: u64 = 32 * 1024 * 1024;

/// The most pixels of a picture that a thumbnail is made of.
pub const MAX_THUMBNAIL_PIXELS: u64 = 50_000_000;

/// The longest side of a picture that a thumbnail is made of. Scaling keeps some numbers for each row and each column,
/// however short the other side is; no picture that people send comes near it.
pub const MAX_THUMBNAIL_SIDE: u32 = 65_535;

/// How large a thumbnail is: the most pixels of its longer side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ThumbnailSize {
    /// 160 pixels, for a list.
    Small,
    /// 640 pixels, for a conversation.
    Large,
}

impl ThumbnailSize {
    /// Every size, in ascending order.
    pub const ALL: [Self; 2] = [Self::Small, Self::Large];

    /// The size of this many pixels.
    pub fn of_pixels(pixels: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|size| u64::from(size.pixels()) == pixels)
    }

    /// The most pixels of the longer side.
    pub fn pixels(self) -> u32 {
        match self {
            Self::Small => 160,
            Self::Large => 640,
        }
    }
}

/// How the bytes of a thumbnail are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThumbnailFormat {
    /// JPEG, where nothing is transparent.
    Jpeg,
    /// WebP, where something is transparent.
    WebP,
}

impl ThumbnailFormat {
    /// The media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::WebP => "image/webp",
        }
    }
}

/// A small picture of an attachment. It has nothing of the attachment but what is to be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thumbnail {
    /// What the bytes are.
    pub format: ThumbnailFormat,
    /// A whole picture.
    pub bytes: Bytes,
}

impl Thumbnail {
    /// SHA-256 of the bytes.
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(&self.bytes).into()
    }
}

/// What became of the attempt to make a thumbnail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ThumbnailOutcome {
    /// There is one.
    Made(Thumbnail),
    /// None can be made: the bytes are no picture, or a picture that is too costly. Another attempt would end the same.
    Impossible,
}

impl StoredObject {
    /// Whether there may be a thumbnail, as far as the type, the size and the header say. Only an attempt shows whether
    /// there is one.
    pub fn may_have_thumbnail(&self) -> bool {
        let sides = [self.metadata.width, self.metadata.height];
        PICTURES.contains(&self.media_type.essence())
            && self.size <= MAX_THUMBNAIL_SOURCE_BYTES
            && sides.iter().flatten().all(|side| (1..=MAX_THUMBNAIL_SIDE).contains(side))
            && self.metadata.pixels().is_none_or(|pixels| pixels <= MAX_THUMBNAIL_PIXELS)
    }
}
