//! Requests that come before the response to the one before them.

use super::{closes, download_of, get, patient};
use crate::support::app::Options;
use crate::support::raw::RawClient;
use crate::support::{Store, TestApp};
use chat_http::HttpSettings;

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n";

/// On a store that a request has to wait for: meanwhile the HTTP server reads on.
async fn app() -> TestApp {
    let http = HttpSettings { transport: patient(), ..HttpSettings::default() };
    TestApp::with(Store::Sqlite, Options { http, ..Options::default() }).await
}

/// The heads and the bodies of the responses to these requests, which are sent at once. A response to `HEAD` has no body.
async fn exchange(app: &TestApp, requests: &[String]) -> Vec<(String, String)> {
    let mut client = RawClient::connect(&app.base).await;
    client.send(requests.concat().as_bytes()).await;
    let mut responses = Vec::new();
    for request in requests {
        responses.push(if request.starts_with("HEAD") {
            (client.read_head().await, String::new())
        } else {
            client.read_response().await
        });
    }
    responses
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipelined_requests_leave_each_others_responses_as_they_are() {
    let app = app().await;
    let path = download_of(&app, 100_000).await;
    let download = get(&app, &path);
    let head = download.replacen("GET", "HEAD", 1);
    let docs_head = "HEAD /docs/page.js HTTP/1.1\r\nHost: test\r\n\r\n".to_owned();
    let last = HEALTH.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    let old = HEALTH.replace("HTTP/1.1", "HTTP/1.0");
    let health = HEALTH.to_owned();
    for requests in [
        [head.clone(), health.clone()],
        [download.clone(), head.clone()],
        [health.clone(), docs_head.clone()],
        [docs_head, download.clone()],
        [download.clone(), last.clone()],
        [download.clone(), old.clone()],
        [health.clone(), old],
    ] {
        let responses = exchange(&app, &requests).await;
        for (request, (head, body)) in requests.iter().zip(&responses) {
            assert!(head.starts_with("HTTP/1.1 200 ") || request.contains("HTTP/1.0"), "{requests:?}: {head}");
            let is_last = request.contains("HTTP/1.0") || request.contains("close");
            assert!(!closes(head) || is_last, "{requests:?}: {head}");
            let expected = if request == &download { 100_000 } else { body.len() };
            assert_eq!(body.len(), expected, "{requests:?}");
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_pipelined_requests_are_answered_in_their_order() {
    let app = app().await;
    let session = app.open_session("alice").await;
    let token = format!("Authorization: Bearer {}\r\nContent-Type: application/json\r\n", app.token_of("alice"));
    let path = format!("/api/chat/sessions/{session}/messages");
    let post = |number: usize| {
        let body = format!("{{\"content\":\"{number}\"}}");
        let length = body.len();
        // Every other one in chunks.
        let body = if number.is_multiple_of(2) {
            format!("Content-Length: {length}\r\n\r\n{body}")
        } else {
            format!("Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\nX: y\r\n\r\n")
        };
        format!("POST {path} HTTP/1.1\r\nHost: test\r\n{token}{body}")
    };
    let requests: Vec<String> = (0..40).map(post).collect();
    for (number, (head, body)) in exchange(&app, &requests).await.iter().enumerate() {
        assert!(head.starts_with("HTTP/1.1 201 "), "{head}");
        assert!(body.contains(&format!("\"content\":\"{number}\"")), "{number}: {body}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_ends_behind_its_requests_gets_all_responses() {
    let app = app().await;
    let mut client = RawClient::connect(&app.base).await;
    client.send(HEALTH.repeat(3).as_bytes()).await;
    client.finish().await;
    let responses = client.read_to_end().await;
    assert_eq!(responses.matches("HTTP/1.1 200 ").count(), 3, "{responses}");
    app.stop().await;
}
