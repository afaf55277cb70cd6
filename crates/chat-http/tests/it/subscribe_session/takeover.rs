//! How a connection becomes a socket, and how a request that opens no socket is answered.

use serde_json::{Value, json};

use crate::support::raw::{RawClient, RawFrame, client_frame, handshake};
use crate::support::{Store, TestApp};

/// The head and the body of the only answer on a connection, which the server closes after it.
async fn answer_to(app: &TestApp, request: &str) -> (String, String) {
    let mut client = RawClient::connect(&app.base).await;
    client.send(request.as_bytes()).await;
    let answer = client.read_to_end().await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    (head.to_owned(), body.to_owned())
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_handshake_has_the_usual_headers_and_body() {
    let app = TestApp::start(Store::Memory).await;
    let session = app.open_session("alice").await;
    let (alice, mallory) = (app.token_of("alice"), app.token_of("mallory"));
    let cases = [
        (handshake(&session, "x.y.z", ""), "401 Unauthorized", "UNAUTHENTICATED"),
        (handshake(&session, &mallory, ""), "403 Forbidden", "FORBIDDEN"),
        (handshake("none", &alice, ""), "404 Not Found", "SESSION_NOT_FOUND"),
        (handshake(&session, &alice, "Origin: https://evil.example\r\n"), "403 Forbidden", "ORIGIN_NOT_ALLOWED"),
        (handshake(&format!("{session}?since=2"), &alice, ""), "410 Gone", "REPLAY_UNAVAILABLE"),
        (handshake(&format!("{session}?since=x"), &alice, ""), "400 Bad Request", "VALIDATION_FAILED"),
        (handshake("../nothing/here", &alice, ""), "404 Not Found", "ROUTE_NOT_FOUND"),
    ];
    for (request, status, code) in cases {
        let (head, body) = answer_to(&app, &request).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{head}");
        assert_eq!(header(&head, "connection"), "close", "{head}");
        assert_eq!(header(&head, "content-type"), "application/json");
        assert_eq!(header(&head, "x-content-type-options"), "nosniff");
        assert_eq!(header(&head, "content-length"), body.len().to_string());
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["error"]["code"], code);
        assert_eq!(body["error"]["requestId"], header(&head, "x-request-id"));
    }
    app.until_no_session_is_watched().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_response_that_opens_a_socket_has_the_usual_headers() {
    let app = TestApp::start(Store::Memory).await;
    let session = app.open_session("alice").await;
    let token = app.token_of("alice");
    for (more, subprotocol) in [("", ""), ("Sec-WebSocket-Protocol: chat.v2, chat.v1\r\n", "chat.v1")] {
        let mut client = RawClient::connect(&app.base).await;
        client.send(handshake(&session, &token, more).as_bytes()).await;
        let head = client.read_head().await;
        assert!(head.starts_with("HTTP/1.1 101 Switching Protocols"), "{head}");
        // The example of RFC 6455, 1.3.
        assert_eq!(header(&head, "sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(header(&head, "connection").to_ascii_lowercase(), "upgrade");
        assert_eq!(header(&head, "upgrade"), "websocket");
        assert_eq!(header(&head, "sec-websocket-protocol"), subprotocol);
        assert_ne!(header(&head, "x-request-id"), "");
        assert_eq!(header(&head, "content-length"), "");
    }
    app.until_no_session_is_watched().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_at_another_address_gets_a_response_and_a_close() {
    let app = TestApp::start(Store::Memory).await;
    let upgrade = "Host: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
    let (head, body) = answer_to(&app, &format!("GET /healthz HTTP/1.1\r\n{upgrade}\r\n")).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(header(&head, "content-length"), body.len().to_string());
    let (head, body) = answer_to(&app, &format!("GET /openapi.json HTTP/1.1\r\n{upgrade}\r\n")).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(serde_json::from_str::<Value>(&body).is_ok(), "the document is whole: {} bytes", body.len());
    let (head, body) = answer_to(&app, &format!("HEAD /ws/chat/x HTTP/1.1\r\n{upgrade}\r\n")).await;
    assert!(head.starts_with("HTTP/1.1 405"), "{head}");
    assert_eq!(body, "");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_asks_for_a_socket_is_not_taken_for_another_request() {
    let app = TestApp::start(Store::Memory).await;
    let token = app.token_of("alice");
    let smuggled = "GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n";
    for framing in [
        format!("Content-Length: {}\r\n\r\n{smuggled}", smuggled.len()),
        format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{smuggled}\r\n0\r\n\r\n", smuggled.len()),
    ] {
        let mut client = RawClient::connect(&app.base).await;
        let request = format!(
            "POST /api/chat/sessions HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nContent-Type: application/json\r\n{framing}"
        );
        client.send(request.as_bytes()).await;
        client.finish().await;
        let answers = client.read_to_end().await;
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{answers}");
        assert!(answers.starts_with("HTTP/1.1 400"), "{answers}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incomplete_handshake_opens_no_socket() {
    let app = TestApp::start(Store::Memory).await;
    let session = app.open_session("alice").await;
    let whole = handshake(&session, &app.token_of("alice"), "");
    for (broken, status) in [
        (whole.replace("HTTP/1.1", "HTTP/1.0"), 400),
        (whole.replace("Connection: Upgrade\r\n", ""), 400),
        (whole.replace("Version: 13", "Version: 8"), 400),
        (whole.replace("dGhlIHNhbXBsZSBub25jZQ==", "short"), 400),
        (whole.replace("Upgrade: websocket", "Upgrade: h2c"), 426),
        // The HTTP server takes neither for a socket.
        (whole.replace("Upgrade: websocket", "Upgrade: websocket, h2c"), 426),
        (whole.replace("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 426),
    ] {
        let mut client = RawClient::connect(&app.base).await;
        client.send(broken.as_bytes()).await;
        let head = client.read_head().await;
        assert_eq!(head[9..12], status.to_string(), "{broken}\n{head}");
    }
    app.until_no_session_is_watched().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_behind_the_handshake_are_not_lost() {
    let app = TestApp::start(Store::Memory).await;
    let session = app.open_session("alice").await;
    let mut client = RawClient::connect(&app.base).await;
    let mut bytes = handshake(&session, &app.token_of("alice"), "").into_bytes();
    bytes.extend(client_frame(RawFrame::PING, b"early"));
    client.send(&bytes).await;
    assert!(client.read_head().await.starts_with("HTTP/1.1 101"));
    let pong = client.read_frame().await;
    assert_eq!((pong.opcode, pong.payload.as_slice()), (RawFrame::PONG, b"early".as_slice()));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_leave_during_the_handshake_leave_nothing_behind() {
    let app = TestApp::start(Store::Memory).await;
    let session = app.open_session("alice").await;
    let whole = handshake(&session, &app.token_of("alice"), "");
    let whole = whole.as_bytes();
    for round in 0..100 {
        for sent in [0, 1, whole.len() / 2, whole.len() - 1, whole.len()] {
            let mut client = RawClient::connect(&app.base).await;
            client.send(&whole[..sent]).await;
            if sent == whole.len() && round % 2 == 0 {
                client.read_head().await;
            }
        }
    }
    app.until_no_session_is_watched().await;
    assert_eq!(app.hub.sessions(), 0);
    // The server still works.
    let mut socket = app.watch("alice", &session, "").await;
    app.say("alice", &session, "hello").await;
    assert_eq!(socket.next().await["data"]["content"], json!("hello"));
    app.stop().await;
}
