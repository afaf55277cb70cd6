//! Encoded words (RFC 2047): how mail programs, and HTTP clients made from them, write a name that is not ASCII.
//!
//! The crates that decode them bring a parser of their own (`rfc2047-decoder`) or that of whole mails (`mail-parser`).

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use encoding_rs::Encoding;

/// RFC 2047 allows 75 characters; some clients put a whole name into one word.
const MAX_WORD_BYTES: usize = 2048;

/// With or without padding, and with bits to spare.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A word: its character set, its bytes, and what follows it.
type Word<'a> = (&'static Encoding, Vec<u8>, &'a str);

/// The text with its encoded words decoded. What looks like one and is none stays as it is.
pub(super) fn decode_words(text: &str) -> Cow<'_, str> {
    if !text.contains("=?") {
        return Cow::Borrowed(text);
    }
    let mut decoded = String::with_capacity(text.len());
    // A character may be cut in two by the border of two words, so words in a row are decoded together.
    let mut row: Option<(&'static Encoding, Vec<u8>)> = None;
    let mut rest = text;
    loop {
        // White space between two words belongs to neither (RFC 2047, 6.2).
        let start = if row.is_some() { rest.trim_start() } else { rest };
        if let Some((charset, bytes, behind)) = word(start) {
            match &mut row {
                Some((same, collected)) if *same == charset => collected.extend(bytes),
                _ => flush(row.replace((charset, bytes)), &mut decoded),
            }
            rest = behind;
            continue;
        }
        flush(row.take(), &mut decoded);
        // Up to the next place where a word may begin.
        let tried = if rest.starts_with("=?") { 2 } else { 0 };
        let next = rest.get(tried..).and_then(|behind| behind.find("=?")).map(|at| at + tried);
        let (before, behind) = rest.split_at_checked(next.unwrap_or(rest.len())).unwrap_or((rest, ""));
        decoded.push_str(before);
        rest = behind;
        if rest.is_empty() {
            return Cow::Owned(decoded);
        }
    }
}

fn flush(row: Option<(&'static Encoding, Vec<u8>)>, decoded: &mut String) {
    if let Some((charset, bytes)) = row {
        decoded.push_str(&charset.decode_without_bom_handling(&bytes).0);
    }
}

/// The word at the beginning: `=?charset?B?text?=` or `=?charset?Q?text?=`.
fn word(text: &str) -> Option<Word<'_>> {
    let inner = text.strip_prefix("=?")?;
    let (charset, inner) = inner.split_once('?')?;
    // A language may follow the character set (RFC 2231, 5).
    let charset = charset.split('*').next().unwrap_or_default();
    let charset = Encoding::for_label(charset.as_bytes())?;
    let (encoding, inner) = inner.split_once('?')?;
    let window = inner.as_bytes().get(..inner.len().min(MAX_WORD_BYTES))?;
    let end = window.windows(2).position(|bytes| bytes == b"?=")?;
    let (encoded, behind) = (inner.get(..end)?, inner.get(end + 2..)?);
    let bytes = match encoding {
        "B" | "b" => LENIENT.decode(encoded).ok()?,
        "Q" | "q" => quoted(encoded.as_bytes()),
        _ => return None,
    };
    Some((charset, bytes, behind))
}

/// The "Q" encoding: `_` is a space, `=` and two digits a byte.
fn quoted(mut text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    while let Some((first, rest)) = text.split_first() {
        text = rest;
        // The parser of numbers takes a sign as well.
        let digits = rest.first_chunk::<2>().filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let escaped = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match (first, escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'=', Some(byte)) => {
                bytes.push(byte);
                text = rest.get(2..).unwrap_or_default();
            }
            (b'_', _) => bytes.push(b' '),
            _ => bytes.push(*first),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::decode_words;

    #[test]
    fn encoded_words_are_decoded_and_other_text_stays() {
        for (text, expected) in [
            ("plain.txt", "plain.txt"),
            ("=?utf-8?B?R3LDvMOfZQ==?=", "Grüße"),
            ("=?UTF-8?b?R3LDvMOfZQ?=", "Grüße"),
            ("=?iso-8859-1?Q?Gr=FC=DFe_5.pdf?=", "Grüße 5.pdf"),
            ("=?utf-8*de?q?Gr=C3=BC=C3=9Fe?=.pdf", "Grüße.pdf"),
            ("=?koi8-r?B?8NLJ18XU?=", "Привет"),
            ("a =?utf-8?Q?b?= c", "a b c"),
            // White space between words is that of the folding.
            ("=?utf-8?Q?a?= =?utf-8?Q?b?=", "ab"),
            ("=?utf-8?Q?a_?=\t =?iso-8859-1?Q?=FC?=", "a ü"),
            // A character across two words.
            ("=?utf-8?B?w7w=?= =?utf-8?Q?x=C3?= =?utf-8?Q?=BC?=", "üxü"),
            ("=?utf-8?Q?100=ZZ=?=", "100=ZZ="),
            ("=?utf-8?Q?a=+fb?=", "a=+fb"),
            ("=?utf-8?B?***?=", "=?utf-8?B?***?="),
            ("=?klingon?Q?a?=", "=?klingon?Q?a?="),
            ("=?utf-8?X?a?=", "=?utf-8?X?a?="),
            ("=?utf-8?Q?never closed", "=?utf-8?Q?never closed"),
            ("ä=?=?utf-8?Q?b?=", "ä=?b"),
            ("=?", "=?"),
            ("=?utf-8?Q?a?= ", "a "),
            ("=?utf-8?Q?a?=  =?", "a  =?"),
            ("what=?who?=", "what=?who?="),
        ] {
            assert_eq!(decode_words(text), expected, "{text:?}");
        }
    }

    #[test]
    fn many_begun_encoded_words_cost_linear_time() {
        let text = "=?utf-8?Q?x".repeat(6_000);
        assert_eq!(decode_words(&text), text);
    }

    proptest! {
        #[test]
        fn any_text_is_decoded_to_some_text(text in r"([=?*_ äBbQq]|utf-8|[a-f0-9]|\PC){0,60}") {
            let decoded = decode_words(&text);
            prop_assert!(text.contains("=?") || *decoded == text);
        }
    }
}
