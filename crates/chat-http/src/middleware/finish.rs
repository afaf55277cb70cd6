//! Finishes every answer: the security headers, the request id, `Connection: close` while the node drains, and for
//! failures the contract's error body and one line in the log.

use actix_http::ConnectionType;
use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use actix_web::middleware::Next;

use super::request_id::{REQUEST_ID, RequestName};
use crate::error::{ApiError, ErrorCode};
use crate::log_text::redacted;
use crate::metering;
use crate::state::App;

const JSON_POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

pub(crate) async fn finish(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let id = RequestName::of(&request).to_string();
    if let Some(app) = request.app_data::<App>() {
        app.untrusted_forwarding.notice(request.request(), &app.settings.proxies);
    }
    let response = next.call(request).await?.map_into_boxed_body();
    let mut response = match failure(&response) {
        Some(failure) => with_error_body(response, &failure, &id),
        None => response,
    };
    add_headers(response.headers_mut(), &id);
    let is_draining = response.request().app_data::<App>().is_some_and(|app| app.draining());
    if is_draining && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        // The next request of this client needs a connection to a node that stays.
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(response)
}

/// The failure behind an answer. What actix itself refuses, such as a payload that breaks off, has only a status.
fn failure(response: &ServiceResponse) -> Option<ApiError> {
    let nothing_here = || ApiError::new(ErrorCode::RouteNotFound, "there is nothing at this address");
    let Some(error) = response.response().error() else {
        // The documentation returns it for a file that it does not have.
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
            let cause = redacted(cause);
            tracing::debug!(error.code = code.as_str(), error.cause = cause, "request refused: {}", code.as_str());
        }
        None => {
            let message = redacted(failure.message());
            tracing::debug!(error.code = code.as_str(), error.cause = message, "request refused: {}", code.as_str());
        }
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
