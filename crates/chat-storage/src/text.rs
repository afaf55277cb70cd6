//! Whether bytes that come piece by piece are text, and in which character set.

use std::borrow::Cow;

/// How many bytes at the beginning say which of the character sets of two bytes is meant.
const MARK_BYTES: usize = 2;

/// The character set of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charset {
    Utf8,
    /// UTF-16 with a byte order mark (RFC 2781, 3.2).
    Utf16 {
        little_endian: bool,
    },
    Latin1,
    /// Latin-1 with the characters that Windows has where Latin-1 has control characters.
    Windows1252,
}

impl Charset {
    /// Its registered name; `None` for UTF-8, which text is that does not say.
    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Self::Utf8 => None,
            Self::Utf16 { .. } => Some("utf-16"),
            Self::Latin1 => Some("iso-8859-1"),
            Self::Windows1252 => Some("windows-1252"),
        }
    }

    /// The beginning of a text, so that its ASCII can be read as such.
    pub(crate) fn with_plain_ascii(self, head: &[u8]) -> Cow<'_, [u8]> {
        let Self::Utf16 { little_endian } = self else {
            return Cow::Borrowed(head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head));
        };
        let units = head.get(MARK_BYTES..).unwrap_or_default().chunks_exact(2);
        let units = units.filter_map(|pair| Some(unit(*pair.first_chunk()?, little_endian)));
        let text: String = char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
        Cow::Owned(text.into_bytes())
    }
}

/// Follows bytes and knows whether all of them so far are text without NUL and without control characters that text
/// files do not have. Needs a few bytes of memory, however long the text is.
#[derive(Debug, Default)]
pub(crate) struct TextCheck {
    utf8: Utf8Check,
    utf16: Utf16Check,
    single: SingleByteCheck,
}

impl TextCheck {
    /// Takes the next bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.utf16.push(bytes);
        self.single.push(bytes);
        if !self.single.has_binary {
            self.utf8.push(bytes);
        }
    }

    /// The character set, when everything that was taken is text.
    pub(crate) fn charset(&self) -> Option<Charset> {
        if let Some(little_endian) = self.utf16.finish() {
            return Some(Charset::Utf16 { little_endian });
        }
        if !self.single.has_binary && self.utf8.is_whole() {
            return Some(Charset::Utf8);
        }
        self.single.finish()
    }
}

#[derive(Debug, Default)]
struct Utf8Check {
    broken: bool,
    /// The beginning of a character that the next piece has to complete.
    partial: Vec<u8>,
}

impl Utf8Check {
    fn push(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !self.broken && !self.partial.is_empty() {
            let Some((byte, behind)) = rest.split_first() else { return };
            self.partial.push(*byte);
            rest = behind;
            match std::str::from_utf8(&self.partial) {
                Ok(_) => self.partial.clear(),
                Err(error) if error.error_len().is_some() => self.broken = true,
                Err(_) => {}
            }
        }
        if self.broken {
            return;
        }
        if let Err(error) = std::str::from_utf8(rest) {
            match error.error_len() {
                Some(_) => self.broken = true,
                None => self.partial.extend_from_slice(rest.get(error.valid_up_to()..).unwrap_or_default()),
            }
        }
    }

    fn is_whole(&self) -> bool {
        !self.broken && self.partial.is_empty()
    }
}

/// UTF-16 is believed with a byte order mark only.
#[derive(Debug, Default)]
struct Utf16Check {
    broken: bool,
    little_endian: bool,
    /// The first byte of a unit, which is completed by the next piece.
    half: Option<u8>,
    /// A high surrogate waits for its low one.
    in_pair: bool,
    units: u64,
}

impl Utf16Check {
    fn push(&mut self, bytes: &[u8]) {
        if self.broken {
            return;
        }
        let mut rest = bytes;
        if let (Some(first), Some((second, behind))) = (self.half, rest.split_first()) {
            self.half = None;
            self.take([first, *second]);
            rest = behind;
        }
        let mut pairs = rest.chunks_exact(2);
        for pair in &mut pairs {
            if self.broken {
                return;
            }
            if let Some(pair) = pair.first_chunk() {
                self.take(*pair);
            }
        }
        if let Some(half) = pairs.remainder().first() {
            self.half = Some(*half);
            // Most files are told to be something else by their first byte.
            self.broken |= self.units == 0 && !matches!(half, 0xfe | 0xff);
        }
    }

    fn take(&mut self, pair: [u8; 2]) {
        self.units = self.units.saturating_add(1);
        if self.units == 1 {
            self.little_endian = pair == [0xff, 0xfe];
            self.broken = !self.little_endian && pair != [0xfe, 0xff];
            return;
        }
        let unit = unit(pair, self.little_endian);
        let (high, low) = (matches!(unit, 0xd800..=0xdbff), matches!(unit, 0xdc00..=0xdfff));
        // A surrogate is half a character, and U+FFFF and U+FFFE are none.
        self.broken = self.in_pair != low || unit >= 0xfffe || u8::try_from(unit).is_ok_and(is_binary);
        self.in_pair = high;
    }

    /// Whether the low byte comes first; `None` when it is no UTF-16.
    fn finish(&self) -> Option<bool> {
        let whole = !self.broken && self.half.is_none() && !self.in_pair && self.units > 0;
        whole.then_some(self.little_endian)
    }
}

/// Bytes of which each may be a character: that they are text in Latin-1 follows from how many are ASCII.
#[derive(Debug, Default)]
struct SingleByteCheck {
    has_binary: bool,
    /// Bytes that are no characters in windows-1252 either.
    has_undefined: bool,
    /// Bytes that are control characters in Latin-1.
    has_windows: bool,
    /// Bytes beyond ASCII.
    high: u64,
    /// Bytes that ASCII shows something for.
    visible: u64,
}

impl SingleByteCheck {
    fn push(&mut self, bytes: &[u8]) {
        if self.has_binary {
            return;
        }
        let count = |wanted: fn(&u8) -> bool| {
            u64::try_from(bytes.iter().filter(|byte| wanted(byte)).count()).unwrap_or(u64::MAX)
        };
        self.has_binary = bytes.iter().any(|byte| is_binary(*byte));
        self.has_undefined |= bytes.iter().any(|byte| matches!(byte, 0x81 | 0x8d | 0x8f | 0x90 | 0x9d));
        self.has_windows |= bytes.iter().any(|byte| matches!(byte, 0x80..=0x9f));
        self.high = self.high.saturating_add(count(|byte| *byte >= 0x80));
        self.visible = self.visible.saturating_add(count(u8::is_ascii_graphic));
    }

    /// Languages that are written in Latin-1 need few letters beyond ASCII. In other character sets, Cyrillic or Chinese
    /// ones for example, most letters are.
    fn finish(&self) -> Option<Charset> {
        if self.has_binary || self.has_undefined || self.high > self.visible {
            return None;
        }
        Some(if self.has_windows { Charset::Windows1252 } else { Charset::Latin1 })
    }
}

fn unit(pair: [u8; 2], little_endian: bool) -> u16 {
    if little_endian { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) }
}

/// The "binary data bytes" of the WHATWG MIME Sniffing Standard, section 3: control characters but tab, line feed,
/// form feed, carriage return and escape.
fn is_binary(byte: u8) -> bool {
    matches!(byte, 0x00..=0x08 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Charset, TextCheck, is_binary};

    fn charset(bytes: &[u8], cuts: &[usize]) -> Option<Charset> {
        let mut check = TextCheck::default();
        let mut rest = bytes;
        for cut in cuts {
            let (piece, behind) = rest.split_at((*cut).min(rest.len()));
            check.push(piece);
            rest = behind;
        }
        check.push(rest);
        check.charset()
    }

    fn utf16(text: &str, little_endian: bool) -> Vec<u8> {
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        units.flat_map(|unit| if little_endian { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect()
    }

    #[test]
    fn bytes_decide_whether_a_file_is_text() {
        assert_eq!(charset(b"plain", &[]), Some(Charset::Utf8));
        assert_eq!(charset("Grüße".as_bytes(), &[]), Some(Charset::Utf8));
        assert_eq!(charset(b"Gr\xfc\xdfe aus K\xf6ln", &[]), Some(Charset::Latin1));
        assert_eq!(charset(b"5 \x80 \x96 Gr\xfc\xdfe", &[]), Some(Charset::Windows1252));
        assert_eq!(charset(b"\xcf\xf0\xe8\xe2\xe5\xf2, \xec\xe8\xf0", &[]), None, "Cyrillic, windows-1251");
        assert_eq!(charset(b"Gr\xfc\xdfe\0", &[]), None);
        assert_eq!(charset(b"\xff\xfe", &[]), Some(Charset::Utf16 { little_endian: true }));
        assert_eq!(charset(b"\xff\xfea\0\0", &[]), None, "half a character");
        assert_eq!(charset(b"\xff\xfe\0\0a\0\0\0", &[]), None, "UTF-32");
        assert_eq!(charset(b"\xff\xfe\x3d\xd8", &[]), None, "half a pair");
        assert_eq!(charset(b"\xff\xfe\0\xde\x3d\xd8", &[]), None, "the wrong way round");
    }

    proptest! {
        #[test]
        fn how_the_bytes_are_cut_does_not_matter(
            text in prop_oneof![
                any::<String>().prop_map(String::into_bytes),
                any::<Vec<u8>>(),
                any::<(String, bool)>().prop_map(|(text, little_endian)| utf16(&text, little_endian)),
            ],
            cuts in prop::collection::vec(0..7_usize, 0..200),
        ) {
            prop_assert_eq!(charset(&text, &cuts), charset(&text, &[]));
        }

        #[test]
        fn utf8_without_control_characters_is_text(text in any::<String>()) {
            let is_text = !text.bytes().any(is_binary);
            prop_assert_eq!(charset(text.as_bytes(), &[]) == Some(Charset::Utf8), is_text);
        }

        #[test]
        fn utf16_without_control_characters_is_text(text in any::<String>(), little_endian: bool) {
            let odd = |unit: u16| unit >= 0xfffe || u8::try_from(unit).is_ok_and(is_binary);
            let is_text = !text.encode_utf16().any(odd);
            let expected = is_text.then_some(Charset::Utf16 { little_endian });
            prop_assert_eq!(charset(&utf16(&text, little_endian), &[]), expected);
        }
    }
}
