//! Files that travel with a message.

use std::fmt;
use std::ops::RangeInclusive;

use unicode_segmentation::UnicodeSegmentation;

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
    /// What a page shows in its place until it has loaded. Absent if it is no picture that there are thumbnails of, or the
    /// node had no time for it as it was stored.
    pub dominant_color: Option<Color>,
}

/// A colour of sRGB. Its text is that of CSS: `#a1b2c3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Color {
    /// 0 to 255.
    pub red: u8,
    /// 0 to 255.
    pub green: u8,
    /// 0 to 255.
    pub blue: u8,
}

impl Color {
    /// The colour of a number from 0 to `0xff_ffff`, of which red is the highest byte. `None` for other numbers.
    pub fn from_number(number: u32) -> Option<Self> {
        let [0, red, green, blue] = number.to_be_bytes() else { return None };
        Some(Self { red, green, blue })
    }

    /// The number that [`Self::from_number`] reads.
    pub fn number(self) -> u32 {
        u32::from_be_bytes([0, self.red, self.green, self.blue])
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:06x}", self.number())
    }
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

/// What a file's header says, each absent when it does not. A picture may state dimensions that no picture has.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MediaMetadata {
    /// Pixels.
    pub width: Option<u32>,
    /// Pixels.
    pub height: Option<u32>,
    /// Seconds.
    pub duration: Option<f64>,
}

impl MediaMetadata {
    /// The most pixels that are shown to clients: four times those of the largest cameras.
    const MOST_PIXELS: u64 = 1 << 28;

    /// How many pixels the header states. `None` when it does not say.
    pub fn pixels(&self) -> Option<u64> {
        Some(u64::from(self.width?) * u64::from(self.height?))
    }

    /// What a page can be laid out with: without the dimensions of empty and immense pictures.
    #[must_use]
    pub fn plausible(self) -> Self {
        if self.pixels().is_some_and(|pixels| (1..=Self::MOST_PIXELS).contains(&pixels)) {
            return self;
        }
        Self { width: None, height: None, ..self }
    }
}

/// A media type such as `image/png`, of text with the character set where it is not UTF-8: `text/plain; charset=utf-16`.
/// Lower-case ASCII, at most 100 characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MediaType(String);

impl MediaType {
    /// What bytes are when nothing better is known.
    pub const OCTET_STREAM: &'static str = "application/octet-stream";
    const MAX_BYTES: usize = 100;

    /// Reads `type/subtype` in any letter case. Of the parameters only the `charset` of a text is kept, and not when it
    /// is UTF-8, which is what text without one is. `None` when it is no media type (RFC 6838, 4.2).
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(';');
        let essence = parts.next()?.trim().to_ascii_lowercase();
        let (kind, subtype) = essence.split_once('/')?;
        if !is_restricted_name(kind) || !is_restricted_name(subtype) || essence.len() > Self::MAX_BYTES {
            return None;
        }
        let charset = parts.find_map(charset).filter(|charset| kind == "text" && charset != "utf-8");
        let full = charset.map(|charset| format!("{essence}; charset={charset}"));
        Some(Self(full.filter(|full| full.len() <= Self::MAX_BYTES).unwrap_or(essence)))
    }

    /// `application/octet-stream`.
    pub fn octet_stream() -> Self {
        Self(Self::OCTET_STREAM.to_owned())
    }

    /// The type as text, with the character set where it has one.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `type/subtype` alone.
    pub fn essence(&self) -> &str {
        self.0.split_once(';').map_or(&*self.0, |(essence, _)| essence)
    }

    /// The character set of a text that is not UTF-8.
    pub fn charset(&self) -> Option<&str> {
        self.0.split_once("charset=").map(|(_, charset)| charset)
    }
}

/// The value of a `charset` parameter, in lower case.
fn charset(parameter: &str) -> Option<String> {
    let (name, value) = parameter.split_once('=')?;
    let value = value.trim().trim_matches('"');
    (name.trim().eq_ignore_ascii_case("charset") && is_restricted_name(value)).then(|| value.to_ascii_lowercase())
}

/// RFC 6838, 4.2, but for the limit of length.
fn is_restricted_name(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
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
    /// The most bytes a name has, as in most file systems.
    pub const MAX_BYTES: usize = 255;
    /// The most bytes behind the last dot that are kept when a name is cut. More of them are no extension.
    const MAX_EXTENSION_BYTES: usize = 32;
    const FALLBACK: &'static str = "file";

    /// Takes whatever a client calls its file and keeps what is safe of it; `file` when nothing is. A name that was
    /// made safe stays as it is.
    pub fn sanitize(claimed: &str) -> Self {
        let last = claimed.rsplit(['/', '\\']).next().unwrap_or_default();
        let name: String = last.chars().filter(|c| !is_unsafe(*c)).collect();
        let name = name.trim();
        let name = if name.len() > Self::MAX_BYTES { Self::cut(name) } else { name.to_owned() };
        // `.` and `..` are directories, and no person gives a file a name of more dots.
        let only_dots = name.bytes().all(|byte| byte == b'.');
        Self(if only_dots { Self::FALLBACK.to_owned() } else { name })
    }

    /// Shortens a name before its extension, at the border of a character as people see it (UAX #29).
    fn cut(name: &str) -> String {
        let extension = Self::extension(name);
        let stem = name.get(..name.len() - extension.len()).unwrap_or_default();
        let room = Self::MAX_BYTES - extension.len();
        let fits = |end: &usize| *end <= room;
        let ends = stem.grapheme_indices(true).map(|(start, grapheme)| start + grapheme.len());
        let end = ends.take_while(fits).last().unwrap_or_default();
        let kept = stem.get(..end).unwrap_or_default().trim_end();
        // One character of hundreds of marks does not fit.
        format!("{}{extension}", if kept.is_empty() { Self::FALLBACK } else { kept })
    }

    /// The last dot and what follows it, when that looks like an extension; else nothing. `.tar.gz` is one.
    fn extension(name: &str) -> &str {
        let Some((stem, last)) = name.rsplit_once('.') else { return "" };
        let archive = stem.get(stem.len().saturating_sub(4)..).is_some_and(|end| end.eq_ignore_ascii_case(".tar"));
        let plain = (1..=Self::MAX_EXTENSION_BYTES).contains(&last.len()) && !last.contains(char::is_whitespace);
        let start = if archive { stem.len().saturating_sub(4) } else { stem.len() };
        if plain { name.get(start..).unwrap_or_default() } else { "" }
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
