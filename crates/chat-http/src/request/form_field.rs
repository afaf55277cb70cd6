//! What a part of a form says of itself in `Content-Disposition`: the name of its field, and the name of its file.
//!
//! The parser of `actix_web` reads what servers send (RFC 6266), where a backslash escapes the next character. Forms
//! are written otherwise: browsers and curl escape `"`, CR and LF as `%22`, `%0D` and `%0A` and nothing else
//! (WHATWG HTML, "multipart/form-data encoding algorithm"), so a backslash in a name is that of a path. That parser also
//! refuses names that are not UTF-8.

use std::borrow::Cow;

use encoding_rs::{Encoding, WINDOWS_1252};
use percent_encoding::percent_decode_str;

use super::encoded_words::decode_words;

/// The header of a part of a form.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FormField {
    /// The field that the part is a value of.
    pub(crate) name: String,
    /// The name of the file, as the sender has it; empty when a form has a field for a file and none was chosen.
    pub(crate) file_name: Option<String>,
}

impl FormField {
    /// Reads the header (RFC 7578, 4.2). `None` when it is not that of a field with a name.
    pub(crate) fn parse(header: &[u8]) -> Option<Self> {
        let text = to_text(header);
        let (kind, rest) = text.split_once(';')?;
        if !kind.trim().eq_ignore_ascii_case("form-data") {
            return None;
        }
        let Names { field, file } = Names::parse(rest)?;
        Some(Self { name: field?, file_name: file })
    }
}

/// The name of the file in the `Content-Disposition` of a body that is one, of whatever kind; `None` when there is none
/// that can be read.
pub(super) fn file_name(header: &[u8]) -> Option<String> {
    let text = to_text(header);
    let (_, rest) = text.split_once(';')?;
    Names::parse(rest)?.file
}

/// The parameters of a `Content-Disposition` that are names.
struct Names {
    field: Option<String>,
    /// Empty when it cannot be read.
    file: Option<String>,
}

impl Names {
    fn parse(parameters: &str) -> Option<Self> {
        let (mut name, mut plain, mut extended) = (None, None, None);
        let mut rest = skip_separators(parameters);
        while !rest.is_empty() {
            let (key, value, behind) = next_parameter(rest)?;
            rest = skip_separators(behind);
            let place = match key.to_ascii_lowercase().as_str() {
                "name" => &mut name,
                "filename" => &mut plain,
                "filename*" => &mut extended,
                _ => continue,
            };
            // Of several the first counts, as in browsers.
            place.get_or_insert(value);
        }
        let has_file = plain.is_some() || extended.is_some();
        let file = extended.as_deref().and_then(decode_extended).or_else(|| plain.as_deref().map(decode_plain));
        let file = file.or_else(|| has_file.then(String::new));
        Some(Self { field: name.map(Cow::into_owned), file })
    }
}

/// UTF-8, and what is not UTF-8 as browsers read Latin-1.
fn to_text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => WINDOWS_1252.decode_without_bom_handling(bytes).0,
    }
}

/// A parameter's name and value, and what follows it.
type Parameter<'a> = (&'a str, Cow<'a, str>, &'a str);

fn skip_separators(rest: &str) -> &str {
    rest.trim_start_matches([';', ' ', '\t'])
}

/// The parameter at the beginning; `None` when there is none. Older curls escape the quotes of a file's name, and one of
/// them may stand before a semicolon: where nothing readable follows, the name goes on to the last quote.
fn next_parameter(rest: &str) -> Option<Parameter<'_>> {
    let (key, value, behind) = parameter(rest, closing_quote)?;
    let next = skip_separators(behind);
    if key.eq_ignore_ascii_case("filename") && !next.is_empty() && parameter(next, closing_quote).is_none() {
        return parameter(rest, last_quote);
    }
    Some((key, value, behind))
}

/// The parameter at the beginning, whose quoted value ends where `end` finds a quote.
fn parameter(rest: &str, end: impl FnOnce(&str) -> Option<usize>) -> Option<Parameter<'_>> {
    let (key, value) = rest.split_once('=')?;
    if key.contains(['"', ';']) {
        return None;
    }
    let value = value.trim_start();
    let (value, behind) = if let Some(quoted) = value.strip_prefix('"') {
        let end = end(quoted)?;
        // Older curls, and clients that follow RFC 9110, escape the quotes of a name: no path has one there.
        (Cow::Owned(quoted.get(..end)?.replace("\\\"", "\"")), quoted.get(end + 1..)?)
    } else {
        let (token, behind) = value.split_once(';').unwrap_or((value, ""));
        (Cow::Borrowed(token.trim_end()), behind)
    };
    Some((key.trim(), value, behind))
}

/// The quote that ends a value: the first with nothing behind it but the next parameter. Whether a backslash stands
/// before it says nothing, since that may be the end of a path.
fn closing_quote(text: &str) -> Option<usize> {
    text.match_indices('"').map(|(at, _)| at).find(|at| may_end(text, *at))
}

/// The last quote that may end a value.
fn last_quote(text: &str) -> Option<usize> {
    text.rmatch_indices('"').map(|(at, _)| at).find(|at| may_end(text, *at))
}

fn may_end(text: &str, quote: usize) -> bool {
    let behind = text.get(quote + 1..).unwrap_or_default().trim_start();
    behind.is_empty() || behind.starts_with(';')
}

/// The value of `filename*` (RFC 8187): a character set, a language, and bytes. `None` when it is not that.
fn decode_extended(value: &str) -> Option<String> {
    let mut parts = value.splitn(3, '\'');
    let (charset, _language, bytes) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes: Cow<'_, [u8]> = percent_decode_str(bytes).into();
    let (text, broken) = Encoding::for_label(charset.as_bytes())?.decode_without_bom_handling(&bytes);
    (!broken).then(|| text.into_owned())
}

/// The value of `filename`: with the three escapes of browsers and curl, or in the encoded words of mail programs.
fn decode_plain(value: &str) -> String {
    let unescaped = value.replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n");
    decode_words(&unescaped).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{FormField, file_name as body_file_name};

    fn file_name(parameters: &[u8]) -> Option<String> {
        let field = FormField::parse(&[b"form-data; name=\"f\"; ", parameters].concat()).unwrap();
        assert_eq!(field.name, "f");
        field.file_name
    }

    #[test]
    fn names_are_read_as_their_senders_write_them() {
        let cases: [(&[u8], &str); 28] = [
            // Browsers, and curl since 7.81.
            (b"filename=\"a b.pdf\"", "a b.pdf"),
            (b"filename=\"my %22best%22 photo%0D%0A.jpg\"", "my \"best\" photo\r\n.jpg"),
            (b"filename=\"100%25 %0d %41 %2F.txt\"", "100%25 %0d %41 %2F.txt"),
            ("filename=\"Gr\u{fc}\u{df}e \u{1f600}.pdf\"".as_bytes(), "Gr\u{fc}\u{df}e \u{1f600}.pdf"),
            (b"filename=\"\"", ""),
            (b"filename=\"a; filename=b.txt\"", "a; filename=b.txt"),
            // Internet Explorer, and clients on Windows that send the whole path.
            (b"filename=\"C:\\Users\\x\\scan 1.pdf\"", "C:\\Users\\x\\scan 1.pdf"),
            (b"filename=\"C:\\dir\\\"", "C:\\dir\\"),
            // Older curls.
            (b"filename=\"my \\\"best\\\" photo.jpg\"", "my \"best\" photo.jpg"),
            (b"filename=\"ruler 6\\\"\"", "ruler 6\""),
            (b"filename=\"a\\\"; b.txt\"", "a\"; b.txt"),
            (b"filename=\"a\\\"; b\\\"; c.txt\"; x=y", "a\"; b\"; c.txt"),
            (b"filename=\"C:\\dir\\\"; x=y", "C:\\dir\\"),
            // .NET, with and without quotes.
            (b"filename=scan.pdf", "scan.pdf"),
            (b"filename=scan.pdf ; x=y", "scan.pdf"),
            (b"filename=\"=?utf-8?B?R3LDvMOfZS5wZGY=?=\"", "Gr\u{fc}\u{df}e.pdf"),
            (b"filename=\"=?utf-8?B?eA==?=\"; filename*=utf-8''Gr%C3%BC%C3%9Fe.pdf", "Gr\u{fc}\u{df}e.pdf"),
            // RFC 8187, before and behind the other, in other letter case and character sets.
            (b"filename*=UTF-8'de'%e2%82%ac%20rates.txt; filename=\"x\"", "\u{20ac} rates.txt"),
            (b"FileName*=iso-8859-1''Gr%FC%DFe", "Gr\u{fc}\u{df}e"),
            (b"filename*=\"utf-8''a%20b\"", "a b"),
            (b"filename*=utf-8''%22%0D.txt", "\"\r.txt"),
            // A parameter that cannot be read gives way to the other.
            (b"filename*=utf-8''%ff; filename=\"plain.txt\"", "plain.txt"),
            (b"filename*=klingon''a; filename=\"plain.txt\"", "plain.txt"),
            (b"filename*=nonsense", ""),
            // Not UTF-8.
            (b"filename=\"Gr\xfc\xdfe.pdf\"", "Gr\u{fc}\u{df}e.pdf"),
            (b"filename=\"5 \x80.pdf\"", "5 \u{20ac}.pdf"),
            // Of several the first counts.
            (b"filename=\"a\"; filename=\"b\"", "a"),
            (b" ;filename = \"a\" ;", "a"),
        ];
        for (parameters, expected) in cases {
            let found = file_name(parameters);
            assert_eq!(found.as_deref(), Some(expected), "{:?}", String::from_utf8_lossy(parameters));
        }
        assert_eq!(file_name(b""), None);
        assert_eq!(file_name(b"size=5"), None);
    }

    #[test]
    fn the_name_of_a_body_stands_in_a_disposition_of_any_kind() {
        for (header, expected) in [
            ("attachment; filename=\"a b.pdf\"", Some("a b.pdf")),
            ("inline; filename*=utf-8''Gr%C3%BC%C3%9Fe.pdf; filename=\"x\"", Some("Gr\u{fc}\u{df}e.pdf")),
            ("form-data; name=\"file\"; filename=scan.pdf", Some("scan.pdf")),
            ("attachment", None),
            ("attachment; filename", None),
            ("", None),
        ] {
            assert_eq!(body_file_name(header.as_bytes()).as_deref(), expected, "{header:?}");
        }
    }

    #[test]
    fn a_malformed_content_disposition_is_no_field() {
        for header in [
            "",
            "form-data",
            "form-data;",
            "form-data; filename=\"a\"",
            "attachment; name=\"f\"",
            "form-data; name",
            "form-data; name=\"f",
            "form-data; name=\"f\"x; filename=\"a",
            "name=\"f\"",
        ] {
            assert_eq!(FormField::parse(header.as_bytes()), None, "{header:?}");
        }
        let token = FormField::parse(b"Form-Data;NAME=attachments[0]").unwrap();
        assert_eq!(token, FormField { name: "attachments[0]".to_owned(), file_name: None });
    }
}
