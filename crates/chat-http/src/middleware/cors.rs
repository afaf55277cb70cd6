//! Which web pages of other origins may use the API from a browser (the Fetch standard's CORS protocol).

use actix_cors::Cors;
use actix_web::http::{Method, header};

const MAX_AGE_SECONDS: usize = 600;

/// Allows exactly the given origins. Tokens travel in a header and never in a cookie, so credentials stay off.
pub(crate) fn cors(origins: &[String]) -> Cors {
    let allowed = origins.iter().fold(Cors::default(), |cors, origin| cors.allowed_origin(origin));
    allowed
        .block_on_origin_mismatch(false)
        .allowed_methods([Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE])
        .allowed_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_NONE_MATCH,
            header::IF_RANGE,
            header::RANGE,
            header::HeaderName::from_static("idempotency-key"),
        ])
        .expose_headers(["Location", "ETag", "Retry-After", "X-Chat-Seq", "X-Request-Id", "Idempotency-Replayed"])
        .max_age(MAX_AGE_SECONDS)
}
