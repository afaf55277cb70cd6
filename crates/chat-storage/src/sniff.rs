//! The media type of bytes, told from the bytes.
//!
//! The sender's claim is believed in one case: to choose between types of plain text, which no byte can tell apart. It
//! is never believed for anything binary, and content that a browser would run or render as a page (HTML, XML, SVG,
//! scripts) is reported as what it is whatever it is claimed to be.

use std::panic::catch_unwind;

use chat_domain::model::MediaType;

/// Types of text that do nothing when they are opened. One of these may be claimed for bytes that are text.
const CLAIMABLE_TEXT: [&str; 8] = [
    "application/json",
    "application/x-ndjson",
    "text/calendar",
    "text/csv",
    "text/markdown",
    "text/plain",
    "text/tab-separated-values",
    "text/vcard",
];

/// Names under which JavaScript is claimed (RFC 9239, and older use). Believing this claim makes nobody trust the bytes
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

/// The type of a file that begins with `head`. `is_text` is about the whole file.
pub(crate) fn sniff(head: &[u8], is_text: bool, claimed: Option<&MediaType>) -> MediaType {
    let found = markup(head).or_else(|| if is_text { Some(textual(head, claimed)) } else { binary(head) });
    MediaType::parse(found.unwrap_or_default()).unwrap_or_else(MediaType::octet_stream)
}

/// What the first bytes alone tell. A panic in a library must not cost the upload.
fn signature(head: &[u8]) -> Option<&'static str> {
    catch_unwind(|| infer::get(head).map(|kind| kind.mime_type())).ok().flatten()
}

fn textual<'a>(head: &[u8], claimed: Option<&'a MediaType>) -> &'a str {
    if let Some(kind) = signature(head).filter(|mime| TEXTUAL_FORMATS.contains(mime)) {
        return kind;
    }
    match claimed.map(MediaType::as_str) {
        Some(claim) if CLAIMABLE_TEXT.contains(&claim) => claim,
        Some(claim) if JAVASCRIPT.contains(&claim) => "text/javascript",
        _ => "text/plain",
    }
}

fn binary(head: &[u8]) -> Option<&'static str> {
    let found = signature(head);
    // `infer` names some types as they were called before they were registered, and knows only common brands of MP4.
    Some(match found {
        Some("audio/m4a") => "audio/mp4",
        Some("audio/x-wav") => "audio/wav",
        Some("audio/x-flac") => "audio/flac",
        Some("audio/opus") => "audio/ogg",
        Some("audio/x-aiff") => "audio/aiff",
        Some("video/x-m4v") => "video/mp4",
        Some("audio/ogg") if head.get(28..35) == Some(b"\x80theora") => "video/ogg",
        None if head.get(4..8) == Some(b"ftyp") && head.get(8..11) == Some(b"iso") => "video/mp4",
        // `infer` wants 256 bytes and one spelling of the length; a recording may be shorter.
        None | Some("video/x-matroska") if is_webm(head) => "video/webm",
        other => other?,
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
