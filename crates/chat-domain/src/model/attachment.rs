//! Files that travel with a message.

use std::fmt;
use std::ops::RangeInclusive;

use super::AttachmentId;

/// A file of a message. Its bytes lie in the attachment store under its id.
#[derive(Clone, Debug, PartialEq)]
pub struct Attachment {
    /// Its name in the API and in the store.
    pub id: AttachmentId,
    /// What its sender called it.
    pub name: FileName,
    /// What the store found out about the bytes.
    pub object: StoredObject,
}

/// What a store knows of bytes that it has made durable.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredObject {
    /// How many bytes.
    pub size: u64,
    /// SHA-256 of the bytes.
    pub sha256: [u8; 32],
    /// The type that the bytes themselves show.
    pub media_type: MediaType,
    /// What their header says of their dimensions.
    pub metadata: MediaMetadata,
}

/// Dimensions read from a file's header, each absent when the header does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MediaMetadata {
    /// Pixels.
    pub width: Option<u32>,
    /// Pixels.
    pub height: Option<u32>,
    /// Seconds.
    pub duration: Option<f64>,
}

/// A media type without parameters, such as `image/png`: lower-case ASCII, at most 100 characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MediaType(String);

impl MediaType {
    /// What bytes are when nothing better is known.
    pub const OCTET_STREAM: &'static str = "application/octet-stream";

    /// Reads `type/subtype`, drops parameters and letter case. `None` when it is no media type (RFC 6838, 4.2).
    pub fn parse(text: &str) -> Option<Self> {
        let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let (kind, subtype) = essence.split_once('/')?;
        let restricted = |part: &str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
        };
        (essence.len() <= 100 && restricted(kind) && restricted(subtype)).then_some(Self(essence))
    }

    /// `application/octet-stream`.
    pub fn octet_stream() -> Self {
        Self(Self::OCTET_STREAM.to_owned())
    }

    /// The type as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A file name that is safe to show and to write into a header: 1 to 255 bytes, no path, no control or bidirectional
/// characters, no quotes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileName(String);

impl FileName {
    /// The most bytes a name has.
    pub const MAX_BYTES: usize = 255;
    const FALLBACK: &'static str = "file";

    /// Takes whatever a client calls its file and keeps what is safe of it; `file` when nothing is. A name that was
    /// made safe stays as it is.
    pub fn sanitize(claimed: &str) -> Self {
        let last = claimed.rsplit(['/', '\\']).next().unwrap_or_default();
        let mut name: String = last.chars().filter(|c| !is_unsafe(*c)).collect();
        while name.len() > Self::MAX_BYTES {
            name.pop();
        }
        let name = name.trim_end().trim_start_matches(|c: char| c == '.' || c.is_whitespace());
        Self(if name.is_empty() { Self::FALLBACK } else { name }.to_owned())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Control characters, quotes, and the characters that reorder text (UAX #9): marks, embeddings, isolates.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '"' | '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A part of a stored object, from its first to its last byte, counted from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByteRange(RangeInclusive<u64>);

impl ByteRange {
    /// The bytes `first` to `last`, both included. `None` when there are none between them.
    pub fn new(first: u64, last: u64) -> Option<Self> {
        (first <= last).then_some(Self(first..=last))
    }

    /// The first byte's position.
    pub fn first(&self) -> u64 {
        *self.0.start()
    }

    /// The last byte's position.
    pub fn last(&self) -> u64 {
        *self.0.end()
    }

    /// How many bytes.
    pub fn length(&self) -> u64 {
        (self.last() - self.first()).saturating_add(1)
    }
}
