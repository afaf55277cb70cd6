//! Bodies that are no bodies.

use super::{SHORT, app_with, closes, patient};
use crate::support::TestApp;
use crate::support::raw::RawClient;
use chat_http::TransportLimits;

/// The head of a message of alice as JSON, with these headers.
pub(super) async fn message_head(app: &TestApp, headers: &str) -> String {
    let session = app.open_session("alice").await;
    format!(
        "POST /api/chat/sessions/{session}/messages HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\n{headers}\r\n",
        app.token_of("alice")
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chunk_extensions_and_trailers_without_end_are_refused() {
    let app = app_with(TransportLimits { drain: SHORT, ..patient() }).await;
    let head = message_head(&app, "Transfer-Encoding: chunked\r\n").await;
    let body = "f\r\n{\"content\":\"a\"}\r\n";
    let text = "a".repeat(64 * 1024);
    let lines = "X: y\r\n".repeat(10_000);
    for endless in [format!("5;{text}"), format!("0\r\n{lines}"), format!("0\r\nX: {text}"), "0".repeat(64 * 1024)] {
        let mut client = RawClient::connect(&app.base).await;
        client.send(format!("{head}{body}").as_bytes()).await;
        client.send_as_far_as_it_goes(endless.as_bytes()).await;
        let answer = client.read_to_end().await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && closes(&answer), "{:?}: {answer}", &endless[..8]);
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_in_broken_chunks_is_refused_before_the_connection_is_closed() {
    let app = app_with(TransportLimits { drain: SHORT, ..patient() }).await;
    let head = message_head(&app, "Transfer-Encoding: chunked\r\n").await;
    for body in
        ["\r\n", "xyz\r\n", "5\nhello", "f\r\n{\"content\":\"a\"}0\r\n\r\n", "f\r\n{\"content\":\"a\"}\r\n-1\r\n"]
    {
        let mut client = RawClient::connect(&app.base).await;
        client.send(format!("{head}{body}").as_bytes()).await;
        let answer = client.read_to_end().await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && closes(&answer), "{body:?}: {answer}");
        assert!(answer.contains("VALIDATION_FAILED"), "{body:?}: {answer}");
    }
    app.stop().await;
}
