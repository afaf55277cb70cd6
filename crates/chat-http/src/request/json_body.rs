//! JSON request bodies.

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use actix_web::web::{Bytes, BytesMut};
use actix_web::{FromRequest, HttpRequest};
use chat_domain::error::{Input, Invalid};
use futures_util::StreamExt;
use futures_util::future::{FutureExt, LocalBoxFuture};
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::NoInput;
use crate::error::ApiError;
use crate::guard::TransportLimits;
use crate::handlers::App;
use crate::unique_json::UniqueJson;

/// Enough for 10,000 characters that are all written as escaped surrogate pairs, twelve bytes each.
const MAX_BYTES: usize = 256 * 1024;
/// How much of a parser's message is passed on, since it may quote the body.
const MAX_RULE_CHARS: usize = 200;

/// The rule about `Content-Type` where nothing else is taken.
const JSON_ONLY: &str = "must be application/json";

/// A request's JSON body, or what is wrong with it or with the query, which stays empty. Never refuses the request by
/// itself.
pub(crate) struct JsonBody<T>(pub(crate) Input<T>);

impl<T: DeserializeOwned + 'static> FromRequest for JsonBody<T> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let payload = payload.take();
        async move {
            let body = read_json(&request, payload, JSON_ONLY).await;
            Ok(Self(NoInput::of(&request).and(body)))
        }
        .boxed_local()
    }
}

/// The same for an operation all of whose fields may be left out: it needs no body either.
pub(crate) struct OptionalJsonBody<T>(pub(crate) Input<T>);

impl<T: DeserializeOwned + Default + 'static> FromRequest for OptionalJsonBody<T> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        if has_no_body(request) {
            let body = NoInput::of(request).map(|()| T::default());
            return async move { Ok(Self(body)) }.boxed_local();
        }
        let body = JsonBody::from_request(request, payload);
        async move { body.await.map(|body| Self(body.0)) }.boxed_local()
    }
}

/// Whether the request has neither a body nor a word about one.
fn has_no_body(request: &HttpRequest) -> bool {
    let headers = request.headers();
    let is_empty = headers.get(CONTENT_LENGTH).is_none_or(|length| length.as_bytes() == b"0");
    is_empty && !headers.contains_key(TRANSFER_ENCODING) && !headers.contains_key(CONTENT_TYPE)
}

/// Whether the request says that its body is JSON.
fn is_json(request: &HttpRequest) -> bool {
    let essence = content_type(request).split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

pub(super) fn content_type(request: &HttpRequest) -> &str {
    request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Reads and parses a body of at most 256 KiB that arrives in time, which is 15 seconds. `media_types` is the rule that a body of
/// another type breaks.
pub(crate) async fn read_json<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: Payload,
    media_types: &str,
) -> Input<T> {
    if !is_json(request) {
        return Err(Invalid::new("Content-Type", media_types));
    }
    let app = request.app_data::<App>();
    let limit = app.map_or_else(TransportLimits::default, |app| app.settings.transport).json_body;
    let bytes = match tokio::time::timeout(limit, read(request, payload)).await {
        Ok(bytes) => bytes?,
        Err(_elapsed) => return Err(Invalid::new("body", format!("must arrive within {} seconds", limit.as_secs()))),
    };
    parse(&bytes)
}

async fn read(request: &HttpRequest, mut payload: Payload) -> Input<Bytes> {
    let too_large = || Invalid::new("body", "must have at most 262144 bytes");
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let announced: Option<usize> = announced.and_then(|length| length.parse().ok());
    if announced.is_some_and(|length| length > MAX_BYTES) {
        return Err(too_large());
    }
    let mut body = BytesMut::with_capacity(announced.unwrap_or_default());
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Invalid::new("body", "must not break off"))?;
        if body.len() + chunk.len() > MAX_BYTES {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Input<T> {
    // Read whole first: a parser that knows the fields would skip the others without a look at what is in them.
    let UniqueJson(body) = serde_json::from_slice(bytes).map_err(|error| describe(".", &error))?;
    // serde would take an array too, field by field in the order of the declaration.
    if !body.is_object() {
        return Err(Invalid::new("body", "must be a JSON object"));
    }
    serde_path_to_error::deserialize(body).map_err(|error| describe(&error.path().to_string(), error.inner()))
}

fn describe(path: &str, error: &serde_json::Error) -> Invalid {
    let told: String = error.to_string().chars().take(MAX_RULE_CHARS).collect();
    match error.classify() {
        Category::Data if path == "." => Invalid::new("body", format!("does not fit: {told}")),
        Category::Data => Invalid::new(path, format!("does not fit: {told}")),
        Category::Syntax | Category::Eof | Category::Io => Invalid::new("body", format!("must be JSON: {told}")),
    }
}
