//! JSON request bodies.

use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use actix_web::web::{Bytes, BytesMut};
use actix_web::{FromRequest, HttpRequest};
use chat_domain::error::{Input, Invalid};
use chat_identity::UniqueJson;
use futures_util::Stream as _;
use futures_util::future::{FutureExt, LocalBoxFuture};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::NoInput;
use crate::auth::person;
use crate::body_slots::BodySlot;
use crate::error::ApiError;
use crate::state::App;
use crate::transport_limits::TransportLimits;

/// Enough for 10,000 characters that are all written as escaped surrogate pairs, twelve bytes each.
pub(crate) const MAX_JSON_BYTES: usize = 256 * 1024;
/// How much of a parser's message is passed on.
const MAX_RULE_CHARS: usize = 200;

/// How much of the name of a field is passed on.
const MAX_FIELD_CHARS: usize = 64;

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
            let body = read_json(&request, payload, JSON_ONLY).await?;
            Ok(Self(NoInput::of(&request).and(body)))
        }
        .boxed_local()
    }
}

/// The same for an operation all of whose fields may be left out: it needs no body either. A single field can be read before
/// the whole, because the right to do what it asks for is checked first.
pub(crate) struct OptionalJsonBody<T> {
    document: Input<Value>,
    query: Input<()>,
    whole: PhantomData<T>,
}

impl<T: DeserializeOwned> OptionalJsonBody<T> {
    /// The value of a field, if it is of this type, whatever is wrong with the other fields.
    pub(crate) fn field<F: DeserializeOwned>(&self, name: &str) -> Option<F> {
        F::deserialize(self.document.as_ref().ok()?.get(name)?).ok()
    }

    /// The whole body, or what is wrong with it or with the query.
    pub(crate) fn whole(self) -> Input<T> {
        self.query.and(self.document.and_then(fit))
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for OptionalJsonBody<T> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let query = NoInput::of(request);
        let request = request.clone();
        let payload = payload.take();
        async move {
            let document = if has_no_body(&request) {
                Ok(Value::Object(Map::new()))
            } else {
                read_document(&request, payload, JSON_ONLY).await?
            };
            Ok(Self { document, query, whole: PhantomData })
        }
        .boxed_local()
    }
}

/// Whether the request has no body, and does not announce one of JSON. A `Content-Type` that curl and browsers set by default
/// announces none.
fn has_no_body(request: &HttpRequest) -> bool {
    let headers = request.headers();
    let is_empty = headers.get(CONTENT_LENGTH).is_none_or(|length| length.as_bytes() == b"0");
    is_empty && !headers.contains_key(TRANSFER_ENCODING) && !is_json(request)
}

/// Whether the request says that its body is JSON.
fn is_json(request: &HttpRequest) -> bool {
    let essence = content_type(request).split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

pub(super) fn content_type(request: &HttpRequest) -> &str {
    request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Reads and parses a body of at most 256 KiB that arrives in time, which is 15 seconds. `media_types` is the rule that a
/// body of another type breaks.
///
/// # Errors
/// 429 or 503 when the body does not come whole and too many others are waited for.
pub(crate) async fn read_json<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: Payload,
    media_types: &str,
) -> Result<Input<T>, ApiError> {
    Ok(read_document(request, payload, media_types).await?.and_then(fit))
}

async fn read_document(request: &HttpRequest, payload: Payload, media_types: &str) -> Result<Input<Value>, ApiError> {
    if !is_json(request) {
        return Ok(Err(Invalid::new("Content-Type", media_types)));
    }
    let app = request.app_data::<App>();
    let limit = app.map_or_else(TransportLimits::default, |app| app.settings.transport).json_body;
    match tokio::time::timeout(limit, read(request, payload)).await {
        Ok(bytes) => Ok(bytes?.and_then(|bytes| parse(&bytes))),
        Err(_elapsed) => Ok(Err(Invalid::new("body", format!("must arrive within {} seconds", limit.as_secs())))),
    }
}

async fn read(request: &HttpRequest, mut payload: Payload) -> Result<Input<BytesMut>, ApiError> {
    let too_large = || Ok(Err(Invalid::new("body", format!("must have at most {MAX_JSON_BYTES} bytes"))));
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if announced.and_then(|length| length.parse().ok()).is_some_and(|length: usize| length > MAX_JSON_BYTES) {
        return too_large();
    }
    // It grows as bytes arrive: an announced length costs the client nothing.
    let mut body = BytesMut::new();
    let mut wait = Wait::default();
    while let Some(chunk) = wait.next(&mut payload, request).await? {
        let Ok(chunk) = chunk else { return Ok(Err(Invalid::new("body", "must not break off"))) };
        if body.len() + chunk.len() > MAX_JSON_BYTES {
            return too_large();
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Ok(body))
}

/// Waits for a body. Once it turns out not to have come whole, it needs a slot.
#[derive(Default)]
struct Wait {
    polled_in_vain: bool,
    slot: Option<BodySlot>,
}

impl Wait {
    async fn next(
        &mut self,
        payload: &mut Payload,
        request: &HttpRequest,
    ) -> Result<Option<Result<Bytes, PayloadError>>, ApiError> {
        loop {
            if let BodyPoll::Chunk(chunk) = poll_fn(|cx| self.poll(payload, cx)).await {
                return Ok(chunk);
            }
            self.slot = Some(slot(request).await.map_err(ApiError::closing_connection)?);
        }
    }

    fn poll(&mut self, payload: &mut Payload, cx: &mut Context<'_>) -> Poll<BodyPoll> {
        match Pin::new(payload).poll_next(cx) {
            Poll::Ready(chunk) => Poll::Ready(BodyPoll::Chunk(chunk)),
            // A small body comes in one packet with its head, but the HTTP server delivers the head first.
            Poll::Pending if std::mem::replace(&mut self.polled_in_vain, true) && self.slot.is_none() => {
                Poll::Ready(BodyPoll::NeedsSlot)
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

/// What the wait for a body comes to.
enum BodyPoll {
    /// A part of the body, or its end.
    Chunk(Option<Result<Bytes, PayloadError>>),
    /// The rest may take long.
    NeedsSlot,
}

async fn slot(request: &HttpRequest) -> Result<BodySlot, ApiError> {
    let who = person(request).await?;
    let app = request.app_data::<App>().ok_or_else(|| ApiError::internal("the API was not registered"))?;
    app.json_bodies.begin(&who)
}

fn parse(bytes: &[u8]) -> Input<Value> {
    // Read whole first: a parser that knows the fields would skip the others without a look at what is in them.
    let UniqueJson(body) = serde_json::from_slice(bytes).map_err(|error| describe(".", &error))?;
    // serde would take an array too, field by field in the order of the declaration.
    if !body.is_object() {
        return Err(Invalid::new("body", "must be a JSON object"));
    }
    Ok(body)
}

fn fit<T: DeserializeOwned>(document: Value) -> Input<T> {
    serde_path_to_error::deserialize(document).map_err(|error| describe(&error.path().to_string(), error.inner()))
}

fn describe(path: &str, error: &serde_json::Error) -> Invalid {
    let problem = error.to_string();
    let rule: String = match expected(&problem) {
        _ if problem.starts_with("unknown field ") => "is no field of this request".to_owned(),
        Some(kind) => format!("must be {kind}"),
        None if error.is_data() => format!("does not fit: {problem}"),
        None => format!("must be JSON: {problem}"),
    };
    let field = if path == "." || !error.is_data() { "body" } else { path };
    // The name of an unknown field may be as long as the body.
    let field: String = field.chars().take(MAX_FIELD_CHARS).collect();
    Invalid::new(field, rule.chars().take(MAX_RULE_CHARS).collect::<String>())
}

/// What a value should have been, in the words of JSON. The parser's message quotes the value itself, which is not repeated.
fn expected(problem: &str) -> Option<&str> {
    let is_about_a_value = problem.starts_with("invalid type: ") || problem.starts_with("invalid value: ");
    let (_, expected) = problem.rsplit_once(", expected ").filter(|_| is_about_a_value)?;
    Some(match expected {
        "a sequence" => "a list",
        "a map" => "an object",
        // RFC 8259 leaves it to the receiver which numbers it takes: a number that is written as 3.0 is read as a
        // float.
        "i32" | "i64" => "a whole number, without a fraction or an exponent",
        "u16" | "u32" | "u64" | "usize" => "a whole number from 0, without a fraction or an exponent",
        other if other.starts_with("struct ") => "an object",
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::expected;

    #[test]
    fn a_value_of_another_type_is_refused_in_words_of_json_and_not_repeated() {
        for (problem, kind) in [
            ("invalid type: string \"x, expected y\", expected a sequence", Some("a list")),
            ("invalid type: integer `5`, expected a string", Some("a string")),
            (
                "invalid value: integer `-1`, expected u64",
                Some("a whole number from 0, without a fraction or an exponent"),
            ),
            ("invalid type: null, expected struct Body", Some("an object")),
            ("missing field `agentId`", None),
            ("expected value at line 1 column 1", None),
        ] {
            assert_eq!(expected(problem), kind, "{problem}");
        }
    }
}
