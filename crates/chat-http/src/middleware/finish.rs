//! Finishes every answer: the security headers, the request id, and for failures the contract's error body and one
//! line in the log.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage};
use tracing_actix_web::RequestId;

use crate::error::{ApiError, ErrorCode};
use crate::metering;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const JSON_POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

pub(crate) async fn finish(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let id = request.extensions().get::<RequestId>().map(ToString::to_string).unwrap_or_default();
    let response = next.call(request).await?.map_into_boxed_body();
    let mut response = match failure(&response) {
        Some(failure) => with_error_body(response, &failure, &id),
        None => response,
    };
    add_headers(response.headers_mut(), &id);
    Ok(response)
}

/// The failure behind an answer. What actix itself refuses, such as a payload that breaks off, is told by its status.
fn failure(response: &ServiceResponse) -> Option<ApiError> {
    let nothing_here = || ApiError::new(ErrorCode::RouteNotFound, "there is nothing at this address");
    let Some(error) = response.response().error() else {
        // The page of the documentation answers so for a part that it does not have.
        return (response.status() == StatusCode::NOT_FOUND).then(nothing_here);
    };
    Some(error.as_error::<ApiError>().cloned().unwrap_or_else(|| {
        if response.status() == StatusCode::NOT_FOUND {
            nothing_here()
        } else if response.status().is_client_error() {
            ApiError::new(ErrorCode::ValidationFailed, "the request could not be read")
        } else {
            ApiError::internal(error.to_string())
        }
    }))
}

fn with_error_body(response: ServiceResponse, failure: &ApiError, id: &str) -> ServiceResponse {
    let code = failure.code();
    if code.status() == StatusCode::SERVICE_UNAVAILABLE {
        metering::unavailable(code);
    }
    match failure.cause() {
        Some(cause) if failure.is_fault() => {
            tracing::error!(error.code = code.as_str(), error.cause = cause, "request failed: {}", code.as_str());
        }
        Some(cause) => {
            tracing::debug!(error.code = code.as_str(), error.cause = cause, "request refused: {}", code.as_str());
        }
        None => tracing::debug!(error.code = code.as_str(), "request refused: {}", code.as_str()),
    }
    let mut body = failure.respond(id);
    // Other layers, CORS for one, have put their headers on the answer that is replaced here.
    for (name, value) in response.headers() {
        if !body.headers().contains_key(name) {
            body.headers_mut().append(name.clone(), value.clone());
        }
    }
    response.into_response(body)
}

fn add_headers(headers: &mut HeaderMap, id: &str) {
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    let is_json = headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if is_json && !headers.contains_key(CONTENT_SECURITY_POLICY) {
        headers.insert(CONTENT_SECURITY_POLICY, JSON_POLICY);
    }
}
