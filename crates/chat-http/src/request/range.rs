//! The header `Range` (RFC 9110, 14).

use actix_web::HttpRequest;
use actix_web::http::header::{IF_RANGE, RANGE, Range};
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
    let value = request.headers().get(RANGE).and_then(|value| value.to_str().ok());
    let Some((unit, parts)) = value.and_then(|value| value.split_once('=')) else { return RangeRequest::Whole };
    let same_version = request.headers().get(IF_RANGE).is_none_or(|version| version.as_bytes() == etag.as_bytes());
    if !same_version || !unit.eq_ignore_ascii_case("bytes") {
        return RangeRequest::Whole;
    }
    // The parser knows the unit in small letters only, though their case does not matter (RFC 9110, 14.1).
    let Ok(Range::Bytes(parts)) = format!("bytes={parts}").parse() else { return RangeRequest::Unsatisfiable };
    parts
        .iter()
        .find_map(|part| part.to_satisfiable_range(size))
        .and_then(|(first, last)| ByteRange::new(first, last))
        .map_or(RangeRequest::Unsatisfiable, RangeRequest::Part)
}
