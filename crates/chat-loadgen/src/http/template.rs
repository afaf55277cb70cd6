//! Requests with placeholders, from which each request of a load is made.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Uri};

use super::{HttpRequest, Target};
use crate::error::LoadError;
use crate::monotonic;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// How many digits a number in a body has, whatever its value, so that the body's length is fixed.
const DIGITS: usize = 16;
/// The beginning of a message that states when it was sent: `@`, the digits, `@`.
const STAMP_CHARS: usize = DIGITS + 2;

/// What differs from one request of a template to the next.
#[derive(Clone, Copy, Debug, Default)]
pub struct TemplateValues<'a> {
    /// For `{session}`.
    pub session: &'a str,
    /// For `{before}`: the id of a message.
    pub before: &'a str,
    /// For `{page}`.
    pub page: u64,
    /// The last part of the idempotency key.
    pub serial: u64,
}

/// A request with placeholders in its path, and with a key and a time of sending where it has them.
#[derive(Clone, Debug)]
pub struct RequestTemplate {
    method: Method,
    /// With the target's prefix.
    path: String,
    headers: HeaderMap,
    /// How idempotency keys begin.
    key: Option<String>,
    /// The body up to the stamp, whether it has one, and the rest.
    body: (String, bool, String),
}

impl RequestTemplate {
    /// A request without a body. Its path may contain `{session}`, `{before}` and `{page}`.
    ///
    /// # Errors
    /// Text that names an unknown blank or a character that a path cannot have.
    pub fn without_body(method: Method, target: &Target, path: &str, token: &str) -> Result<Self, String> {
        if !path.starts_with('/') {
            return Err("must begin with a slash, such as /api/chat/sessions?page={page}".to_owned());
        }
        if let Some(wrong) = path.chars().find(|c| !c.is_ascii_graphic()) {
            return Err(format!("has {wrong:?}, which a path cannot contain; write it as %XX"));
        }
        for blank in path.split('{').skip(1) {
            match blank.split_once('}').ok_or("has a brace that is not closed")?.0 {
                "session" | "before" | "page" => {}
                name => return Err(format!("has {{{name}}}; known are {{session}}, {{before}} and {{page}}")),
            }
        }
        Ok(Self::json(method, target, path, token, ""))
    }

    /// `POST` of a message with `length` characters, with an idempotency key that begins with `key` when there is one.
    /// From 18 characters on, the message begins with the time at which it is sent: `@` 16 digits `@`.
    pub fn message(target: &Target, token: &str, length: usize, key: Option<&str>) -> Self {
        let stamped = length >= STAMP_CHARS;
        let filler = "x".repeat(if stamped { length - STAMP_CHARS } else { length });
        let body = ("{\"content\":\"".to_owned(), stamped, format!("{filler}\"}}"));
        let mut template = Self::new(Method::POST, target, "/api/chat/sessions/{session}/messages", token, body);
        template.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        template.key = key.map(str::to_owned);
        template
    }

    /// `POST` of a text of `bytes` that looks like the frame of a message, for a service that brings it to sockets as
    /// it is. It has the time at which it is sent where a message would have it.
    pub fn text(target: &Target, path: &str, bytes: usize) -> Self {
        const START: &str = r#"{"type":"message","data":{"content":""#;
        const END: &str = r#""}}"#;
        let filler = "x".repeat(bytes.saturating_sub(START.len() + STAMP_CHARS + END.len()));
        Self::new(Method::POST, target, path, "", (START.to_owned(), true, format!("{filler}{END}")))
    }

    /// A request with a JSON body, or with none when it is empty.
    pub(crate) fn json(method: Method, target: &Target, path: &str, token: &str, body: &str) -> Self {
        let mut template = Self::new(method, target, path, token, (body.to_owned(), false, String::new()));
        if !body.is_empty() {
            template.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        } else if template.method != Method::GET {
            // hyper states a length only where there is a body (RFC 9110, section 8.6, wants one here).
            template.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        template
    }

    fn new(method: Method, target: &Target, path: &str, token: &str, body: (String, bool, String)) -> Self {
        let mut headers = HeaderMap::new();
        headers.extend(HeaderValue::try_from(&target.authority).ok().map(|host| (HOST, host)));
        headers.extend(bearer(token).map(|value| (AUTHORIZATION, value)));
        Self { method, path: format!("{}{path}", target.prefix), headers, key: None, body }
    }

    /// The same with this whole idempotency key.
    pub(crate) fn with_key(mut self, key: &str) -> Self {
        self.headers.extend(HeaderValue::try_from(key).ok().map(|key| (IDEMPOTENCY_KEY, key)));
        self
    }

    /// Whether requests differ by session.
    pub fn names_session(&self) -> bool {
        self.path.contains("{session}")
    }

    /// Whether requests name a message.
    pub fn names_before(&self) -> bool {
        self.path.contains("{before}")
    }

    /// A request that is sent now.
    ///
    /// # Errors
    /// What is put into the path cannot stand in one.
    pub fn render(&self, values: &TemplateValues<'_>) -> Result<HttpRequest, LoadError> {
        let mut path = self.path.replace("{session}", values.session);
        if path.contains('{') {
            path = path.replace("{before}", values.before).replace("{page}", &values.page.to_string());
        }
        let uri = Uri::from_maybe_shared(path).map_err(|error| LoadError::setup(format!("{}: {error}", self.path)))?;
        let (start, stamped, end) = &self.body;
        let mut body = Vec::with_capacity(start.len() + STAMP_CHARS + end.len());
        body.extend_from_slice(start.as_bytes());
        if *stamped {
            body.extend_from_slice(stamp(monotonic::now_us()).as_bytes());
        }
        body.extend_from_slice(end.as_bytes());
        let mut request = HttpRequest::new(Full::new(Bytes::from(body)));
        request.method_mut().clone_from(&self.method);
        *request.uri_mut() = uri;
        request.headers_mut().clone_from(&self.headers);
        if let Some(key) = &self.key {
            let key = HeaderValue::from_maybe_shared(format!("{key}{:0DIGITS$}", values.serial));
            request.headers_mut().extend(key.ok().map(|key| (IDEMPOTENCY_KEY, key)));
        }
        Ok(request)
    }
}

/// `Bearer` and the token; `None` without a token, or when it has characters that no header has.
pub(crate) fn bearer(token: &str) -> Option<HeaderValue> {
    if token.is_empty() { None } else { HeaderValue::try_from(format!("Bearer {token}")).ok() }
}

/// The text of a stamp.
pub(crate) fn stamp(sent_us: u64) -> String {
    format!("@{sent_us:0DIGITS$}@")
}

/// When a message of [`RequestTemplate::message`] was sent, in microseconds of its machine's monotonic clock.
pub(crate) fn stamp_of(content: &str) -> Option<u64> {
    content.strip_prefix('@')?.split_at_checked(DIGITS).filter(|(_, rest)| rest.starts_with('@'))?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use serde_json::Value;

    use super::*;

    fn target() -> Target {
        Target::parse("http://127.0.0.1:8080").unwrap()
    }

    async fn body(request: HttpRequest) -> Vec<u8> {
        request.into_body().collect().await.unwrap().to_bytes().to_vec()
    }

    #[tokio::test]
    async fn a_message_has_the_requested_length_a_key_and_a_stamp() {
        for length in [1, 17, 18, 19, 100, 10_000] {
            let template = RequestTemplate::message(&target(), "T", length, Some("k-"));
            let request =
                template.render(&TemplateValues { session: "s1", serial: 7, ..TemplateValues::default() }).unwrap();
            assert_eq!(request.headers()["idempotency-key"], "k-0000000000000007");
            assert_eq!(request.headers()["authorization"], "Bearer T");
            let value: Value = serde_json::from_slice(&body(request).await).unwrap();
            let content = value["content"].as_str().unwrap();
            assert_eq!(content.chars().count(), length);
            let sent_us = stamp_of(content);
            assert_eq!(sent_us.is_some(), length >= 18);
            assert!(sent_us.is_none_or(|sent_us| sent_us <= monotonic::now_us()));
        }
    }

    #[tokio::test]
    async fn a_text_has_the_requested_length() {
        for bytes in [100, 300] {
            let request =
                RequestTemplate::text(&target(), "/publish", bytes).render(&TemplateValues::default()).unwrap();
            let body = body(request).await;
            assert_eq!(body.len(), bytes);
            serde_json::from_slice::<Value>(&body).unwrap();
        }
    }

    #[test]
    fn placeholders_of_a_path_are_filled() {
        let path = "/x/{session}?before={before}&page={page}";
        let template = RequestTemplate::without_body(Method::GET, &target(), path, "T").unwrap();
        assert!(template.names_session() && template.names_before());
        let values = TemplateValues { session: "s1", before: "m1", page: 3, ..TemplateValues::default() };
        let request = template.render(&values).unwrap();
        assert_eq!((request.uri(), request.method()), (&"/x/s1?before=m1&page=3".parse().unwrap(), &Method::GET));
        assert_eq!(request.headers()["host"], "127.0.0.1:8080");
    }

    #[test]
    fn a_post_without_a_body_states_a_length_of_zero() {
        for (method, length) in [(Method::POST, Some("0")), (Method::GET, None)] {
            let template = RequestTemplate::without_body(method, &target(), "/x/{session}/ws-ticket", "T").unwrap();
            let request = template.render(&TemplateValues { session: "s1", ..TemplateValues::default() }).unwrap();
            assert_eq!(request.uri(), "/x/s1/ws-ticket");
            assert_eq!(request.headers().get("content-length").map(|value| value.to_str().unwrap()), length);
        }
    }

    #[test]
    fn a_path_with_an_unknown_blank_or_a_space_is_refused() {
        for path in ["", "x", "/{sesion}", "/{session", "/a b", "/ä"] {
            let template = RequestTemplate::without_body(Method::GET, &target(), path, "T");
            assert!(template.is_err(), "{path:?} was taken");
        }
    }
}
