//! The version of a session as an entity tag (RFC 9110, 8.8.3), and the header `If-Match` (13.1.1).

use actix_web::HttpRequest;
use actix_web::http::header::{ETAG, HeaderName, HeaderValue, IF_MATCH};
use chat_domain::error::{Input, Invalid};
use chat_domain::model::{ChatSession, ExpectedVersion, Seq};

const RULE: &str = "must be a list of entity tags in quotation marks, or *";

/// The header that says which version of a session the response has.
pub(crate) fn version_tag(session: &ChatSession) -> (HeaderName, HeaderValue) {
    let tag = format!("\"{}\"", session.progress.last_seq);
    // A number between quotation marks is a header's value.
    (ETAG, HeaderValue::from_str(&tag).unwrap_or_else(|_| HeaderValue::from_static("")))
}

/// The version that the request is meant for.
pub(crate) fn expected_version(request: &HttpRequest) -> Input<ExpectedVersion> {
    let mut values = request.headers().get_all(IF_MATCH).peekable();
    if values.peek().is_none() {
        return Ok(ExpectedVersion::Any);
    }
    let values: Option<Vec<&str>> = values.map(|value| value.to_str().ok()).collect();
    let parsed = values.and_then(|values| parse(&values.join(",")));
    parsed.ok_or_else(|| Invalid::new("If-Match", RULE))
}

/// `None` for what is neither `*` nor a list of entity tags. A tag that no session can have matches no session, and
/// neither does a weak tag, because `If-Match` compares strongly.
fn parse(text: &str) -> Option<ExpectedVersion> {
    const WHITE: [char; 2] = [' ', '\t'];
    if text.trim_matches(WHITE) == "*" {
        return Some(ExpectedVersion::Any);
    }
    let (mut versions, mut tags) = (Vec::new(), 0_usize);
    let mut rest = text;
    loop {
        // A list may have empty elements (RFC 9110, 5.6.1.2).
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return (tags > 0).then_some(ExpectedVersion::OneOf(versions));
        }
        let (is_weak, tag) = rest.strip_prefix("W/").map_or((false, rest), |tag| (true, tag));
        let (opaque, after) = tag.strip_prefix('"')?.split_once('"')?;
        if !opaque.bytes().all(|byte| matches!(byte, b'!' | b'#'..=b'~')) {
            return None;
        }
        rest = after.trim_start_matches(WHITE);
        if !rest.is_empty() && !rest.starts_with(',') {
            return None;
        }
        tags += 1;
        if let Some(version) = opaque.parse().ok().map(Seq::new)
            && !is_weak
            && version.to_string() == opaque
        {
            versions.push(version);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_of(versions: &[u64]) -> ExpectedVersion {
        ExpectedVersion::OneOf(versions.iter().copied().map(Seq::new).collect())
    }

    #[test]
    fn lists_of_entity_tags_are_read() {
        for (text, expected) in [
            ("*", Some(ExpectedVersion::Any)),
            (" * ", Some(ExpectedVersion::Any)),
            ("\"7\"", Some(one_of(&[7]))),
            ("\"7\", \"8\",\t\"9\"", Some(one_of(&[7, 8, 9]))),
            (", \"7\" ,, ", Some(one_of(&[7]))),
            ("W/\"7\"", Some(one_of(&[]))),
            ("W/\"7\", \"8\"", Some(one_of(&[8]))),
            ("\"\"", Some(one_of(&[]))),
            ("\"a,b\", \"07\", \"+7\", \"-7\", \"99999999999999999999\"", Some(one_of(&[]))),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    #[test]
    fn a_header_that_is_no_list_of_entity_tags_is_refused() {
        for text in [
            "",
            " ",
            ",",
            "7",
            "\"7",
            "7\"",
            "\"7\" \"8\"",
            "\"7\"8",
            "*, \"7\"",
            "\"7\", *",
            "w/\"7\"",
            "\"a b\"",
            "\"é\"",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
