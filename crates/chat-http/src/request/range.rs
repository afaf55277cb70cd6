//! The header `Range` (RFC 9110, 14).

use actix_web::HttpRequest;
use actix_web::http::header::{Header, IF_RANGE, RANGE, Range};
use chat_domain::model::ByteRange;

/// What part of a file a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RangeRequest {
    /// All of it: no range, a unit other than bytes, or an `If-Range` that names another version.
    Whole,
    /// This part.
    Part(ByteRange),
    /// A part that the file does not have.
    Unsatisfiable,
}

/// The part of a file of `size` bytes that is asked for. Of several parts the first that the file has is given, which
/// RFC 9110, 15.3.7.2 allows.
pub(crate) fn requested_range(request: &HttpRequest, size: u64, etag: &str) -> RangeRequest {
    let Some(value) = request.headers().get(RANGE) else { return RangeRequest::Whole };
    let same_version = request.headers().get(IF_RANGE).is_none_or(|version| version.as_bytes() == etag.as_bytes());
    let is_bytes = value.as_bytes().get(..6).is_some_and(|unit| unit.eq_ignore_ascii_case(b"bytes="));
    if !same_version || !is_bytes {
        return RangeRequest::Whole;
    }
    let Ok(Range::Bytes(parts)) = Range::parse(request) else { return RangeRequest::Unsatisfiable };
    parts
        .iter()
        .find_map(|part| part.to_satisfiable_range(size))
        .and_then(|(first, last)| ByteRange::new(first, last))
        .map_or(RangeRequest::Unsatisfiable, RangeRequest::Part)
}
