//! Which web pages of other origins may use the API from a browser (the Fetch standard's CORS protocol).

use std::sync::Arc;

use actix_cors::Cors;
use actix_web::http::Method;

use crate::origins::{self, AllowedOrigin};

const MAX_AGE_SECONDS: usize = 600;
/// The headers of responses that a page may read besides those that it always may.
const EXPOSED: [&str; 10] = [
    "Location",
    "ETag",
    "Retry-After",
    "RateLimit",
    "RateLimit-Policy",
    "X-Chat-Seq",
    "X-Request-Id",
    "Idempotency-Replayed",
    "Content-Disposition",
    "Content-Range",
];

/// Allows exactly the given origins. Tokens travel in a header and never in a cookie, so credentials stay off.
///
/// Any header may come with a request: pages add those of tracing and of their libraries, and the server looks at none
/// that it does not know.
pub(crate) fn cors(listed: &Arc<[AllowedOrigin]>) -> Cors {
    let listed = Arc::clone(listed);
    Cors::default()
        .allowed_origin_fn(move |origin, _| origin.to_str().is_ok_and(|origin| origins::is_listed(&listed, origin)))
        .block_on_origin_mismatch(false)
        .allowed_methods([Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_any_header()
        .expose_headers(EXPOSED)
        .max_age(MAX_AGE_SECONDS)
}
