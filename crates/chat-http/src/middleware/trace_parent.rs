//! The trace that a request is part of, as its client says (W3C Trace Context, 3.2).

use actix_web::http::header::{HeaderMap, HeaderName};

/// The header of W3C Trace Context, 3.2.
static TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");

/// What a valid header `traceparent` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TraceParent<'a> {
    /// The trace: 32 hexadecimal digits.
    pub(super) trace_id: &'a str,
    /// The client's own span: 16 of them.
    pub(super) parent_id: &'a str,
}

impl<'a> TraceParent<'a> {
    /// What the only such header says, unless it is malformed.
    pub(super) fn of(headers: &'a HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(&TRACE_PARENT);
        let (Some(value), None) = (values.next(), values.next()) else { return None };
        Self::parse(value.to_str().ok()?)
    }

    /// `version-traceid-parentid-flags`. Versions that are not known yet may have more behind it.
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split('-');
        let (version, trace_id, parent_id, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_version = is_hex(version, 2) && version != "ff" && (version != "00" || parts.next().is_none());
        let is_id = |text, digits| is_hex(text, digits) && text.bytes().any(|digit| digit != b'0');
        let is_valid = is_version && is_id(trace_id, 32) && is_id(parent_id, 16) && is_hex(flags, 2);
        is_valid.then_some(Self { trace_id, parent_id })
    }
}

/// The standard has lower case alone.
fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const PARENT: &str = "00f067aa0ba902b7";

    #[test]
    fn a_trace_parent_is_taken_as_the_standard_has_it() {
        let expected = Some(TraceParent { trace_id: TRACE, parent_id: PARENT });
        for text in [
            format!("00-{TRACE}-{PARENT}-01"),
            format!("00-{TRACE}-{PARENT}-00"),
            format!("cc-{TRACE}-{PARENT}-01-more"),
        ] {
            assert_eq!(TraceParent::parse(&text), expected, "{text}");
        }
        let zeros = "0".repeat(32);
        let malformed = [
            String::new(),
            format!("00-{TRACE}-{PARENT}"),
            format!("00-{TRACE}-{PARENT}-01-more"),
            format!("ff-{TRACE}-{PARENT}-01"),
            format!("0-{TRACE}-{PARENT}-01"),
            format!("00-{zeros}-{PARENT}-01"),
            format!("00-{TRACE}-{}-01", &zeros[..16]),
            format!("00-{}-{PARENT}-01", TRACE.to_uppercase()),
            format!("00-{TRACE}0-{PARENT}-01"),
            format!("00-{TRACE}-{PARENT}-1"),
            format!("00-{TRACE}-{PARENT}-0g"),
            format!(" 00-{TRACE}-{PARENT}-01"),
        ];
        for text in malformed {
            assert_eq!(TraceParent::parse(&text), None, "{text:?}");
        }
    }
}
