//! An answer that has been read to its end.

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;

/// Status, headers and body of an answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) async fn of(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await.expect("the body arrives whole").to_vec();
        Self { status, headers, bytes }
    }

    /// The body as JSON, after checking the status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        self.expect_status(status);
        if self.bytes.is_empty() { Value::Null } else { self.json() }
    }

    #[track_caller]
    pub(crate) fn expect_status(&self, status: u16) {
        assert_eq!(self.status.as_u16(), status, "body: {}", String::from_utf8_lossy(&self.bytes));
    }

    /// Checks status, code and the shape of the error body; returns the body's `error`.
    #[track_caller]
    pub(crate) fn expect_error(self, status: u16, code: &str) -> Value {
        self.expect_status(status);
        let body = self.json();
        assert_eq!(body["success"], false, "{body}");
        assert_eq!(body["error"]["code"], code, "{body}");
        assert_eq!(body["message"], body["error"]["message"], "{body}");
        assert!(body["error"]["details"].is_array(), "{body}");
        assert_eq!(body["error"]["requestId"], self.header("x-request-id"), "{body}");
        body["error"].clone()
    }

    /// Checks that the request was refused as invalid and that `field` is among those named.
    #[track_caller]
    pub(crate) fn expect_invalid(self, field: &str) {
        let error = self.expect_error(400, "VALIDATION_FAILED");
        let named = error["details"].as_array().is_some_and(|all| all.iter().any(|detail| detail["field"] == field));
        assert!(named, "expected {field} in {error}");
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).expect("the body is JSON")
    }

    /// A header's value, empty when it is missing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}
