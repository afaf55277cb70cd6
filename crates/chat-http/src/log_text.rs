//! What clients send, as it may stand in a line of a log.
//!
//! A reader of a log must be able to trust its eyes: a character that breaks a line, turns the direction of what follows
//! or is not seen at all stands there as its number. And a path shows no secret, although clients put tokens and tickets
//! in wrong places.

use std::borrow::Cow;
use std::fmt::Write;

use actix_web::http::Method;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// The longest path in a line, in bytes. No address of the service is longer.
const LONGEST_PATH: usize = 256;
/// Stands for a part of a path that may be a secret.
const REDACTED: &str = "[redacted]";
/// The longest word that is shown: ids have 36 characters. A ticket has 43 of base64url, and what lacks a few of them can
/// be guessed.
const LONGEST_WORD: usize = 36;
/// How often a segment is decoded. What then still decodes to something else is not shown.
const MOST_DECODINGS: usize = 4;
/// How tokens begin (`{"` in base64), and how they do in base64 once more, as in the name of a subprotocol.
const TOKEN_BEGINNINGS: [&str; 2] = ["eyJ", "ZXlK"];
/// Names of parameters whose values are secrets.
const SECRET_NAMES: [&str; 2] = ["token", "ticket"];
/// What stands in a path as its percent-encoding, besides what is not ASCII.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\').add(b'`');

/// A line in which each character that is not seen as itself stands as in JSON: U+2028 as `\u2028`. These are control
/// characters beyond ASCII's and DEL, line separators, and what changes the direction of a text or has no width. In
/// strings of JSON the text means the same afterwards.
pub fn escape_unseen(line: &str) -> Cow<'_, str> {
    if !line.contains(is_unseen) {
        return Cow::Borrowed(line);
    }
    let mut escaped = String::with_capacity(line.len() + 16);
    for character in line.chars() {
        if is_unseen(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _written = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// Control characters beyond those of ASCII, of which a log has its own, separators of lines and paragraphs, and format
/// characters (the category Cf of Unicode, as far as a terminal or browser heeds it).
fn is_unseen(character: char) -> bool {
    matches!(character,
        '\u{7f}'..='\u{9f}'
        | '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}')
}

/// The method of a request for a log or a trace. A method that is not of RFC 9110 or RFC 5789 may have any length and
/// hold anything.
pub(crate) fn logged_method(method: &Method) -> &str {
    const KNOWN: [Method; 9] = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::OPTIONS,
        Method::PATCH,
        Method::CONNECT,
        Method::TRACE,
    ];
    if KNOWN.contains(method) { method.as_str() } else { "other" }
}

/// The path of a request for a log or a trace: visible ASCII, cut where it is too long, without what may be a token or a
/// ticket.
pub(crate) fn logged_path(path: &str) -> String {
    let mut shown = String::with_capacity(path.len().min(LONGEST_PATH));
    for (index, segment) in path.split('/').enumerate() {
        if index > 0 {
            shown.push('/');
        }
        if shows_secret(segment) {
            shown.push_str(REDACTED);
        } else {
            shown.extend(utf8_percent_encode(segment, ENCODED));
        }
        if shown.len() > LONGEST_PATH {
            // It is ASCII.
            shown.truncate(LONGEST_PATH);
            break;
        }
    }
    shown
}

/// A message about what a client sent, without words that may be tokens or tickets.
pub(crate) fn redacted(message: &str) -> String {
    // With the signs of percent-encoding: a word in it is one word.
    let is_of_word = |character: char| is_of_base64(character) || matches!(character, '.' | '%');
    let mut shown = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(begin) = rest.find(is_of_word) {
        let (before, from_word) = rest.split_at(begin);
        let end = from_word.find(|character| !is_of_word(character)).unwrap_or(from_word.len());
        let (word, after) = from_word.split_at(end);
        shown.push_str(before);
        shown.push_str(if shows_secret(word) { REDACTED } else { word });
        rest = after;
    }
    shown.push_str(rest);
    shown
}

/// Whether a character is of base64url (RFC 4648, 5).
fn is_of_base64(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '-' || character == '_'
}

/// Whether a segment has a token, a ticket or a value that is named as one, encoded or not.
fn shows_secret(segment: &str) -> bool {
    let Some(decoded) = decoded_to_the_end(segment) else { return true };
    decoded
        .split(|character| !is_of_base64(character))
        .any(|word| word.len() > LONGEST_WORD || TOKEN_BEGINNINGS.iter().any(|beginning| word.starts_with(beginning)))
        || decoded.split('=').rev().skip(1).any(|before| {
            let before = before.to_ascii_lowercase();
            SECRET_NAMES.iter().any(|name| before.ends_with(name))
        })
}

/// A segment without percent-encoding, however often it was encoded: a reader of a log would decode it again. `None` when
/// that was too often.
fn decoded_to_the_end(segment: &str) -> Option<Cow<'_, str>> {
    let mut decoded = Cow::Borrowed(segment);
    for _ in 0..=MOST_DECODINGS {
        if !decoded.contains('%') {
            return Some(decoded);
        }
        let next = percent_decode_str(&decoded).decode_utf8_lossy().into_owned();
        if next == decoded {
            return Some(decoded);
        }
        decoded = Cow::Owned(next);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_are_not_seen_stand_as_their_numbers() {
        for (line, expected) in [
            ("plain \u{1b}[2m text\n", "plain \u{1b}[2m text\n"),
            ("käse 茶 🙂", "käse 茶 🙂"),
            ("a\u{2028}b\u{2029}c", "a\\u2028b\\u2029c"),
            ("\u{202e}txt.exe\u{2066}", "\\u202etxt.exe\\u2066"),
            ("\u{7f}\u{85}\u{9b}", "\\u007f\\u0085\\u009b"),
            ("\u{200f}\u{61c}\u{feff}", "\\u200f\\u061c\\ufeff"),
            ("\u{e0041}", "\\udb40\\udc41"),
        ] {
            assert_eq!(escape_unseen(line), expected);
        }
        let json = serde_json::to_string("\u{202e}\u{e0041}\u{2028}\u{7f}é").unwrap();
        let read: String = serde_json::from_str(&escape_unseen(&json)).unwrap();
        assert_eq!(read, "\u{202e}\u{e0041}\u{2028}\u{7f}é", "the same string");
    }

    #[test]
    fn a_path_is_visible_ascii_and_no_longer_than_any_address() {
        for (path, expected) in [
            ("/", "/"),
            ("/api/chat/sessions", "/api/chat/sessions"),
            ("/a%20b/c+d;e=f", "/a%20b/c+d;e=f"),
            ("/a\u{2028}b/\u{202e}é", "/a%E2%80%A8b/%E2%80%AE%C3%A9"),
            ("/a\"b\\c\u{7f}", "/a%22b%5Cc%7F"),
        ] {
            assert_eq!(logged_path(path), expected);
        }
        let long = logged_path(&format!("/{}", "é/".repeat(1_000)));
        assert_eq!(long.len(), LONGEST_PATH);
    }

    #[test]
    fn a_method_of_a_client_is_not_in_the_log() {
        assert_eq!(logged_method(&Method::PATCH), "PATCH");
        for method in ["get", "GETS", "eyJhbGciOiJIUzI1NiJ9.e30.c2ln", &"X".repeat(100_000)] {
            assert_eq!(logged_method(&Method::from_bytes(method.as_bytes()).unwrap()), "other");
        }
    }

    #[test]
    fn a_path_shows_no_token_and_no_ticket() {
        let (head, ticket) = ("eyJhbGciOiJIUzI1NiJ9", "3q2-7wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhs");
        for secret in [
            format!("{head}.eyJzdWIiOiJhIn0.c2ln"),
            format!("{head}.e30"),
            format!("{head}%2Ee30%2Ec2ln"),
            "%65yJhbGciOiJIUzI1NiJ9.e30.c2ln".to_owned(),
            "base64url.bearer.chat.ZXlKaGJHY2lPaUpJVXpJMU5pSjk".to_owned(),
            ticket.to_owned(),
            format!("{ticket}A"),
            // A ticket without its last characters, of which there are few.
            ticket[..42].to_owned(),
            ticket[..37].to_owned(),
            format!("{head}%252Ee30%252Ec2ln"),
            "%2565yJhbGciOiJIUzI1NiJ9.e30.c2ln".to_owned(),
            "%25252565yJhbGciOiJIUzI1NiJ9.e30.c2ln".to_owned(),
            "ticket%253Dshort".to_owned(),
            // Encoded more often than is looked at.
            "%2525252525252541".to_owned(),
            "access_token=short".to_owned(),
            "%3Fticket%3Dshort".to_owned(),
            "x;Token=short;y=z".to_owned(),
        ] {
            assert_eq!(logged_path(&format!("/a/{secret}/b")), "/a/[redacted]/b", "{secret}");
        }
        assert_eq!(redacted(&format!("{head}.e30.c2ln is not \"{ticket}\".")), "[redacted] is not \"[redacted]\".");
        for encoded in [format!("%65{}", &head[1..]), format!("{}%41{}", &ticket[..20], &ticket[20..])] {
            assert_eq!(redacted(&format!("unknown `{encoded}`")), "unknown `[redacted]`", "{encoded}");
        }
        let plain = "`limit` must be from 1 to 100; é; 100%, %2.";
        assert_eq!(redacted(plain), plain);
        for plain in [
            "0190a6e8-5b1c-7c3e-9d7e-4f1f2a3b4c5d",
            "auth0%7C5f7c8ec7c33c6c004bbafe82",
            "ws-ticket",
            "a=b",
            "100%25",
            "a%2520b",
        ] {
            assert_eq!(logged_path(&format!("/{plain}")), format!("/{plain}"));
        }
    }
}
