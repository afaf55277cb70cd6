//! The media type of bytes, told from the bytes.
//!
//! The sender's claim is believed in one case: to choose between types of plain text, which no byte can tell apart. It
//! is never believed for anything binary, and content that a browser would run or render as a page (HTML, XML, SVG,
//! scripts) is reported as what it is whatever it is claimed to be.
//!
//! What only the rest of a file tells, whether an archive is a document for example, is added by `probe`.

use std::panic::catch_unwind;

use chat_domain::model::MediaType;

use crate::brands;
use crate::probe::asf;
use crate::text::Charset;

/// Types of text that do nothing when they are opened, and that no byte tells. One of these may be claimed for bytes that
/// are text.
const CLAIMABLE_TEXT: [&str; 4] = ["text/csv", "text/markdown", "text/plain", "text/tab-separated-values"];

/// Names under which files of comma-separated values are claimed. The first is what browsers on Windows claim for them
/// where Excel is installed.
const CSV: [&str; 6] = [
    "application/vnd.ms-excel",
    "application/csv",
    "application/x-csv",
    "text/comma-separated-values",
    "text/x-comma-separated-values",
    "text/x-csv",
];

/// Types that may be claimed for a text that begins like JSON.
const JSON: [&str; 4] = ["application/geo+json", "application/json", "application/ld+json", "application/x-ndjson"];

/// Names under which JavaScript is claimed (RFC 9239, and older use). If this claim is believed, the bytes are not trusted
/// more than they deserve.
const JAVASCRIPT: [&str; 5] = [
    "application/ecmascript",
    "application/javascript",
    "application/x-javascript",
    "text/ecmascript",
    "text/javascript",
];

/// Formats with a signature whose files can be text all through. The signatures of binary formats are too short to be
/// believed for text: "BM" begins a bitmap, and also "BMW".
const TEXTUAL_FORMATS: [&str; 4] =
    ["application/pdf", "application/postscript", "application/rtf", "text/x-shellscript"];

/// Tags that open a page, after the WHATWG MIME Sniffing Standard, section 7.1, and the tags that matter for scripts.
const HTML_OPENINGS: [&[u8]; 22] = [
    b"<!doctype html",
    b"<html",
    b"<head",
    b"<script",
    b"<iframe",
    b"<h1",
    b"<div",
    b"<font",
    b"<table",
    b"<a",
    b"<style",
    b"<title",
    b"<b",
    b"<body",
    b"<br",
    b"<p",
    b"<img",
    b"<object",
    b"<embed",
    b"<form",
    b"<meta",
    b"<link",
];

/// The type of a file that begins with `head`. `charset` is that of the whole file, when it is text.
pub(crate) fn sniff(head: &[u8], charset: Option<Charset>, claimed: Option<&MediaType>) -> MediaType {
    let Some(charset) = charset else {
        let found = markup(head).or_else(|| binary(head)).unwrap_or_default();
        return MediaType::parse(found).unwrap_or_else(MediaType::octet_stream);
    };
    let head = charset.with_plain_ascii(head);
    let found = markup(&head).unwrap_or_else(|| textual(&head, charset, claimed));
    let with_charset = charset.name().map(|name| format!("{found}; charset={name}"));
    MediaType::parse(with_charset.as_deref().unwrap_or(found)).unwrap_or_else(MediaType::octet_stream)
}

/// What the first bytes alone tell. A panic in a library must not cost the upload.
fn signature(head: &[u8]) -> Option<&'static str> {
    catch_unwind(|| infer::get(head).map(|kind| kind.mime_type())).ok().flatten()
}

fn textual<'a>(head: &[u8], charset: Charset, claimed: Option<&'a MediaType>) -> &'a str {
    // A voice note can happen to have no byte that text does not have, and begins like a script.
    let format = speech(head).or_else(|| signature(head).filter(|mime| TEXTUAL_FORMATS.contains(mime)));
    if let Some(format) = format {
        return format;
    }
    let start = head.trim_ascii_start();
    if starts_ignoring_case(start, b"begin:vcard") {
        return "text/vcard";
    }
    if starts_ignoring_case(start, b"begin:vcalendar") {
        return "text/calendar";
    }
    match claimed.map(MediaType::essence) {
        Some(claim) if CLAIMABLE_TEXT.contains(&claim) => claim,
        Some(claim) if CSV.contains(&claim) && has_columns(start) => "text/csv",
        // JSON is UTF-8 (RFC 8259, 8.1).
        Some(claim) if JSON.contains(&claim) && charset == Charset::Utf8 && begins_like_json(start) => claim,
        Some(claim) if JAVASCRIPT.contains(&claim) => "text/javascript",
        _ => "text/plain",
    }
}

/// Whether the first line has something that separates columns.
fn has_columns(text: &[u8]) -> bool {
    let line = text.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
    line.iter().any(|byte| matches!(byte, b',' | b';' | b'\t'))
}

/// Whether the text begins as a JSON value does.
fn begins_like_json(text: &[u8]) -> bool {
    let word = [&b"true"[..], b"false", b"null"].iter().any(|word| text.starts_with(word));
    word || matches!(text.first(), Some(b'{' | b'[' | b'"' | b'-' | b'0'..=b'9'))
}

fn binary(head: &[u8]) -> Option<&'static str> {
    if let Some(known) = brands::media_type(head).or_else(|| speech(head)) {
        return Some(known);
    }
    let found = signature(head);
    // `infer` names some types as they were called before they were registered.
    Some(match found {
        Some("audio/m4a") => "audio/mp4",
        Some("audio/x-wav") => "audio/wav",
        Some("audio/x-flac") => "audio/flac",
        Some("audio/opus") => "audio/ogg",
        Some("audio/x-aiff") => "audio/aiff",
        Some("audio/ogg") if head.get(28..35) == Some(b"\x80theora") => "video/ogg",
        // What kind of document it is tells the list of its entries, not the first of them.
        _ if head.starts_with(b"PK\x03\x04") => "application/zip",
        // Sound or pictures, which tells the rest of the header.
        _ if head.starts_with(&asf::HEADER) => "video/x-ms-asf",
        // `infer` wants 256 bytes and one spelling of the length; a recording may be shorter.
        None | Some("video/x-matroska") if is_webm(head) => "video/webm",
        None if is_transport_stream(head) => "video/mp2t",
        other => other?,
    })
}

/// The formats of telephones for speech (RFC 4867, 5).
fn speech(head: &[u8]) -> Option<&'static str> {
    if head.starts_with(b"#!AMR-WB\n") {
        Some("audio/amr-wb")
    } else {
        head.starts_with(b"#!AMR\n").then_some("audio/amr")
    }
}

/// An MPEG transport stream (ISO 13818-1, 2.4.3.2): packets of 188 bytes that all begin alike, on Blu-ray discs and some
/// cameras behind four bytes of time.
fn is_transport_stream(head: &[u8]) -> bool {
    const COMPARED: usize = 4;
    [(0, 188), (4, 192)].iter().any(|(first, length)| {
        let starts = head.iter().skip(*first).step_by(*length).take(COMPARED);
        starts.clone().count() == COMPARED && starts.clone().all(|byte| *byte == 0x47)
    })
}

/// An EBML header whose document type is `webm` (RFC 8794, 11.2).
fn is_webm(head: &[u8]) -> bool {
    let header = head.get(..64).unwrap_or(head);
    header.starts_with(b"\x1a\x45\xdf\xa3") && header.windows(4).any(|bytes| bytes == b"webm")
}

/// Recognises markup by how it begins, past a byte order mark, white space and comments.
fn markup(head: &[u8]) -> Option<&'static str> {
    let start = content_start(head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head));
    if !start.starts_with(b"<") {
        return None;
    }
    if opens_with(start, b"<svg") {
        return Some("image/svg+xml");
    }
    if HTML_OPENINGS.iter().any(|tag| opens_with(start, tag)) {
        return Some("text/html");
    }
    let is_xml = starts_ignoring_case(start, b"<?xml") || starts_ignoring_case(start, b"<!doctype");
    if is_xml {
        // The root element follows declarations; what matters is whether a browser would draw or run it.
        return Some(if contains_ignoring_case(start, b"<svg") {
            "image/svg+xml"
        } else if contains_ignoring_case(start, b"<html") {
            "application/xhtml+xml"
        } else {
            "application/xml"
        });
    }
    // A comment that never ends within the head: a browser would take it for a page.
    starts_ignoring_case(start, b"<!--").then_some("text/html")
}

fn content_start(mut bytes: &[u8]) -> &[u8] {
    loop {
        bytes = bytes.trim_ascii_start();
        let Some(comment) = bytes.strip_prefix(b"<!--") else { return bytes };
        let Some(end) = comment.windows(3).position(|window| window == b"-->") else { return bytes };
        bytes = comment.get(end + 3..).unwrap_or_default();
    }
}

/// Whether `bytes` begin with the tag, in any case, and the tag's name ends there.
fn opens_with(bytes: &[u8], tag: &[u8]) -> bool {
    starts_ignoring_case(bytes, tag)
        && bytes.get(tag.len()).is_none_or(|byte| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/' | b':'))
}

fn starts_ignoring_case(bytes: &[u8], prefix: &[u8]) -> bool {
    bytes.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

fn contains_ignoring_case(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle))
}
