//! Development mode is for the machine that the server runs on. A proxy in front of it would let in whom it serves, with
//! tokens that the server itself gives away, so requests that came through one are refused.

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderMap, HeaderName};
use actix_web::middleware::Next;

use crate::error::{ApiError, ErrorCode};

/// What proxies, load balancers and tunnels add to a request, besides everything that begins with `X-Forwarded-`.
const ADDED_BY_PROXIES: [&str; 14] = [
    "forwarded",
    "forwarded-for",
    "x-forwarded",
    "via",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original-forwarded-for",
    "true-client-ip",
    "cf-connecting-ip",
    "fastly-client-ip",
    "fly-client-ip",
    "x-envoy-external-address",
    "x-azure-clientip",
];

/// Refuses what has come through a proxy.
pub(crate) async fn refuse_forwarded(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(header) = forwarding_header(request.headers()) else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    let refusal = format!(
        "this server is in development mode, which serves its own machine alone, and the request came through a proxy \
         (it has the header {header}); to serve others, set --jwt-secret (CHAT_JWT_SECRET) to the secret of your tokens"
    );
    Ok(request.error_response(ApiError::new(ErrorCode::DevelopmentMode, refusal)))
}

fn forwarding_header(headers: &HeaderMap) -> Option<&str> {
    let mut names = headers.keys().map(HeaderName::as_str);
    names.find(|name| name.starts_with("x-forwarded-") || ADDED_BY_PROXIES.contains(name))
}
