//! Multipart forms, written out so that a test can get every byte of them wrong.

use reqwest::Method;
use reqwest::RequestBuilder;

use super::TestApp;

const BOUNDARY: &str = "the-boundary";

/// A `multipart/form-data` body (RFC 7578).
#[derive(Clone, Default)]
pub(crate) struct Form(Vec<u8>);

impl Form {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn text(self, name: &str, value: &str) -> Self {
        self.part(format!("Content-Disposition: form-data; name=\"{name}\"\r\n"), value.as_bytes())
    }

    /// A file as the field `attachments[index]`.
    pub(crate) fn file(self, index: u32, name: &str, media_type: &str, bytes: &[u8]) -> Self {
        self.file_as(&format!("attachments[{index}]"), name, media_type, bytes)
    }

    pub(crate) fn file_as(self, field: &str, name: &str, media_type: &str, bytes: &[u8]) -> Self {
        let disposition = format!("Content-Disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\n");
        self.part(format!("{disposition}Content-Type: {media_type}\r\n"), bytes)
    }

    /// A part with these header lines.
    pub(crate) fn part(mut self, headers: impl AsRef<[u8]>, bytes: &[u8]) -> Self {
        self.0.extend(format!("--{BOUNDARY}\r\n").as_bytes());
        self.0.extend(headers.as_ref());
        self.0.extend(b"\r\n");
        self.0.extend(bytes);
        self.0.extend(b"\r\n");
        self
    }

    /// The whole body.
    pub(crate) fn body(mut self) -> Vec<u8> {
        self.0.extend(format!("--{BOUNDARY}--\r\n").as_bytes());
        self.0
    }

    /// The body without the boundary that ends it.
    pub(crate) fn unfinished(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn content_type() -> String {
        format!("multipart/form-data; boundary={BOUNDARY}")
    }

    /// The request that sends the form as a message.
    pub(crate) fn to(self, app: &TestApp, who: &str, session: &str) -> RequestBuilder {
        app.request(who, Method::POST, &format!("/api/chat/sessions/{session}/messages"))
            .header("content-type", Self::content_type())
            .body(self.body())
    }
}
