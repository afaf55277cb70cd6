//! Connections that take too long or send too much end; all others do not notice that they are guarded.
//!
//! Each test shortens the one limit that it is about, and makes the others so long that they cannot be what ended the
//! connection. Where a good request must pass within the limit, it is as long as a busy machine may need.

mod addresses;
mod bodies;
mod crowded;
mod pipelining;
mod proxies;
mod unfinished;

use std::time::{Duration, Instant};

use crate::support::app::{Options, send};
use crate::support::handshake::handshake;
use crate::support::raw::RawClient;
use crate::support::server_side::until_connections_are;
use crate::support::{Form, Store, TestApp, TestSocket};
use chat_http::{HttpSettings, SocketSettings, TransportLimits};
use futures_util::future::join_all;
use reqwest::Method;
use reqwest::header::CONNECTION;
use serde_json::json;

/// For what nothing has to pass within.
const SHORT: Duration = Duration::from_millis(200);
/// For what a good request has to pass within, on a machine that is busy.
const AMPLE: Duration = Duration::from_secs(5);
const LONG: Duration = Duration::from_hours(1);

/// No limit ends anything.
fn patient() -> TransportLimits {
    TransportLimits {
        head: LONG,
        json_body: LONG,
        idle: LONG,
        crowded: LONG,
        crowded_silent: LONG,
        stalled: LONG,
        crowded_stalled: LONG,
        drain: LONG,
        drain_bytes: u64::MAX,
        proxy_drain: LONG,
        proxy_drain_bytes: u64::MAX,
        ..TransportLimits::default()
    }
}

async fn app_with(transport: TransportLimits) -> TestApp {
    let http = HttpSettings { transport, ..HttpSettings::default() };
    TestApp::with(Store::Memory, Options { http, ..Options::default() }).await
}

fn closes(head: &str) -> bool {
    // An answer 426 names the protocol beside it.
    head.lines()
        .filter_map(|line| line.strip_prefix("connection: "))
        .any(|value| value.split(", ").any(|v| v == "close"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_head_ends_the_connection_on_every_request() {
    let app = app_with(TransportLimits { head: AMPLE, ..patient() }).await;
    let whole = "GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n";
    let post = "POST /nothing HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\n{}";
    // Nothing at all; a part of the first head; of the second head, which comes after the first response or together
    // with the first request. The last part ends with the same bytes as the request before it.
    let cases = [
        ("", ""),
        ("", "GET /h"),
        (whole, "GET /h"),
        (post, "GET /healthz HTTP/1.1\r\nX: "),
        (post, "GET /healthz HTTP/1.1\r\nX: {}{}"),
    ];
    let slow = async |first: &str, second: &str, together: bool| {
        let mut client = RawClient::connect(&app.base).await;
        if together {
            client.send(format!("{first}{second}").as_bytes()).await;
        } else {
            client.send(first.as_bytes()).await;
        }
        if !first.is_empty() {
            let (head, _) = client.read_response().await;
            assert!(!closes(&head), "{head}");
        }
        if !together {
            client.send(second.as_bytes()).await;
        }
        let end = client.read_to_end().await;
        assert!(end.starts_with("HTTP/1.1 408 ") && closes(&end), "{first:?} and {second:?}: {end:?}");
    };
    join_all(cases.iter().flat_map(|(first, second)| [false, true].map(|together| slow(first, second, together))))
        .await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unread_body_ends_the_connection_whatever_the_route_and_the_status() {
    let app = app_with(TransportLimits { drain: SHORT, ..patient() }).await;
    let session = app.open_session("alice").await;
    let token = format!("Authorization: Bearer {}\r\n", app.token_of("alice"));
    let messages = format!("/api/chat/sessions/{session}/messages");
    let sockets = format!("/ws/chat/{session}");
    let json = "Content-Type: application/json\r\n";
    for (request, headers, status) in [
        ("GET /healthz", String::new(), 200),
        ("POST /nothing", String::new(), 404),
        ("TRACE /healthz", String::new(), 405),
        ("POST /healthz", String::new(), 405),
        ("POST /api/chat/sessions", json.to_owned(), 401),
        ("POST /api/chat/sessions", token.clone(), 400),
        (&format!("POST {messages}"), format!("{token}Content-Type: text/plain\r\n"), 400),
        (&format!("PUT /api/chat/sessions/{session}/close"), String::new(), 401),
        (&format!("GET {sockets}"), token.clone(), 426),
        (&format!("POST {sockets}"), token.clone(), 405),
    ] {
        for rest in [
            // The beginning of a chunk of 1 MiB, and of a body of this size.
            "Transfer-Encoding: chunked\r\n\r\n100000\r\nbegun",
            "Content-Length: 1048576\r\n\r\nbegun",
            "Transfer-Encoding: chunked\r\n\r\n",
            "Content-Length: 1048576\r\n\r\n",
        ] {
            let mut client = RawClient::connect(&app.base).await;
            client.send(format!("{request} HTTP/1.1\r\nHost: test\r\n{headers}{rest}").as_bytes()).await;
            let answer = client.read_to_end().await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request} {rest:?}: {answer}");
            assert!(closes(&answer), "{request} {rest:?}: {answer}");
            assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{request} {rest:?}: {answer}");
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_continues_long_after_the_response_is_cut_off() {
    const MOST: usize = 256 * 1024 * 1024;
    let app = app_with(TransportLimits { drain_bytes: 64 * 1024, ..patient() }).await;
    let endless = "POST /nothing HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n";
    let sized = "POST /nothing HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000000000\r\n\r\n";
    for (head, chunk) in [(endless, format!("10000\r\n{}\r\n", "x".repeat(0x10000))), (sized, "x".repeat(0x10000))] {
        let mut client = RawClient::connect(&app.base).await;
        client.send(head.as_bytes()).await;
        let sent = client.send_until_cut_off(chunk.as_bytes(), MOST).await;
        assert!(sent < MOST, "{head} was read without end");
    }
    until_connections_are(&app, 0).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_upload_frees_its_descriptor_after_the_client_left() {
    let app = app_with(TransportLimits { drain: SHORT, drain_bytes: 64 * 1024, idle: SHORT, ..patient() }).await;
    let session = app.open_session("alice").await;
    let head = format!(
        "POST /api/chat/sessions/{session}/messages HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {}\r\n\
         Content-Type: {}\r\nTransfer-Encoding: chunked\r\n\r\n",
        app.token_of("alice"),
        Form::content_type()
    );
    // Larger than a file may be, with more than the kernel's buffers hold behind it.
    let form = Form::new().file(0, "large.bin", "application/octet-stream", &vec![7; 30 * 1024 * 1024]).unfinished();
    let mut gone = Vec::new();
    for stays in [false, true, false, true] {
        let mut client = RawClient::connect(&app.base).await;
        client.send(head.as_bytes()).await;
        client.send_as_far_as_it_goes(format!("{:x}\r\n", form.len()).as_bytes()).await;
        client.send_as_far_as_it_goes(&form).await;
        if stays {
            gone.push(client);
        }
    }
    until_connections_are(&app, 0).await;
    drop(gone);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_takes_no_byte_is_cut_off() {
    let app = app_with(TransportLimits { stalled: SHORT, ..patient() }).await;
    let path = download_of(&app, 20 * 1024 * 1024).await;
    let mut client = RawClient::connect(&app.base).await;
    client.send(get(&app, &path).as_bytes()).await;
    until_connections_are(&app, 0).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_may_take_longer_than_any_limit() {
    let short = TransportLimits { head: AMPLE, idle: AMPLE, drain: AMPLE, json_body: AMPLE, ..patient() };
    let app = app_with(short).await;
    let size = 20 * 1024 * 1024;
    let path = download_of(&app, size).await;
    let mut client = RawClient::connect(&app.base).await;
    client.send(get(&app, &path).as_bytes()).await;
    let head = client.read_head().await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let begun = Instant::now();
    let mut received = 0;
    while received < size {
        if begun.elapsed() < AMPLE + Duration::from_secs(1) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let some = client.read_some().await.len();
        assert!(some > 0, "cut off after {received} of {size} bytes");
        received += some;
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_that_is_read_slowly_but_steadily_is_not_cut_off() {
    const BYTES_PER_SECOND: usize = 64 * 1024;
    let app = app_with(TransportLimits { stalled: AMPLE, ..patient() }).await;
    let path = download_of(&app, 20 * 1024 * 1024).await;
    let mut client = RawClient::connect(&app.base).await;
    client.send(get(&app, &path).as_bytes()).await;
    let head = client.read_head().await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let begun = Instant::now();
    let mut received = 0;
    while begun.elapsed() < 2 * AMPLE {
        let some = client.read_some().await.len();
        assert!(some > 0, "cut off after {received} bytes and {:?}", begun.elapsed());
        received += some;
        // The pace of a slow line.
        let due = Duration::from_millis((received * 1_000 / BYTES_PER_SECOND) as u64);
        tokio::time::sleep(due.saturating_sub(begun.elapsed())).await;
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_connection_is_closed_without_a_response() {
    let app = app_with(TransportLimits { idle: SHORT, ..patient() }).await;
    let mut client = RawClient::connect(&app.base).await;
    client.send(b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n").await;
    let (head, _) = client.read_response().await;
    assert!(!closes(&head), "{head}");
    assert_eq!(client.read_to_end().await, "");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_stays_open_after_any_request_that_came_whole() {
    let app = app_with(patient()).await;
    let session = app.open_session("alice").await;
    let token = format!("Authorization: Bearer {}\r\nContent-Type: application/json\r\n", app.token_of("alice"));
    let post = |path: &str, headers: &str, status: u16| {
        let sized = "Content-Length: 16\r\n\r\n{\"content\":\"hi\"}";
        let chunked = "Transfer-Encoding: chunked\r\n\r\n10\r\n{\"content\":\"hi\"}\r\n0\r\n\r\n";
        [sized, chunked].map(|body| (format!("POST {path} HTTP/1.1\r\nHost: test\r\n{headers}{body}"), status))
    };
    let messages = format!("/api/chat/sessions/{session}/messages");
    let mut requests = Vec::new();
    requests.extend(post(&messages, &token, 201));
    requests.extend(post("/nothing", "", 404));
    requests.extend(post("/healthz", "", 405));
    requests.extend(post(&messages, "", 401));
    requests.extend(post("/api/chat/sessions/no-such-session/messages", &token, 404));
    // Also when it comes in two parts, and when all of them come at once.
    let mut client = RawClient::connect(&app.base).await;
    for (request, status) in &requests {
        client.send(request.as_bytes()).await;
        let (head, _) = client.read_response().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")) && !closes(&head), "{request}: {head}");
    }
    let all: String = requests.iter().map(|(request, _)| request.as_str()).collect();
    client.send(all.as_bytes()).await;
    for (request, status) in &requests {
        let (head, _) = client.read_response().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")) && !closes(&head), "{request}: {head}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_behind_an_unread_body_are_no_request() {
    let app = app_with(TransportLimits { drain: SHORT, ..patient() }).await;
    let path = download_of(&app, 20 * 1024 * 1024).await;
    // The download takes long enough for the rest of the body and another request to come before its end.
    let request = get(&app, &path).replace("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n");
    let mut client = RawClient::connect(&app.base).await;
    client.send(request.as_bytes()).await;
    let head = client.read_head().await;
    assert!(head.starts_with("HTTP/1.1 200 ") && closes(&head), "{head}");
    client.send(b"0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: smuggled\r\n\r\n").await;
    let rest = client.read_to_end().await;
    assert_eq!(rest.matches("HTTP/1.1 ").count(), 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_json_body_that_stays_away_is_refused_and_the_connection_closed() {
    let app = app_with(TransportLimits { json_body: AMPLE, drain: SHORT, ..patient() }).await;
    let session = app.open_session("alice").await;
    let mut client = RawClient::connect(&app.base).await;
    let request = format!(
        "POST /api/chat/sessions/{session}/messages HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{\"content\"",
        app.token_of("alice")
    );
    client.send(request.as_bytes()).await;
    let answer = client.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && closes(&answer), "{answer}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_is_not_subject_to_the_limits_of_requests() {
    let sockets = SocketSettings { ping_every: AMPLE / 5, silence_limit: LONG, ..SocketSettings::default() };
    let transport = TransportLimits { head: AMPLE, idle: AMPLE, stalled: AMPLE, drain: AMPLE, ..patient() };
    let http = HttpSettings { sockets, transport, ..HttpSettings::default() };
    let app = TestApp::with(Store::Memory, Options { http, ..Options::default() }).await;
    let session = open_session_once(&app).await;
    let (mut socket, _) = app.watch_extended("alice", &session, "").await;
    // Heartbeats for longer than any of the limits.
    for _ in 0..6 {
        assert_eq!(socket.next().await["type"], "heartbeat");
    }
    app.say("alice", &session, "still here").await;
    while socket.next().await["data"]["content"] != "still here" {}
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_that_is_refused_is_closed_and_drained() {
    let app = app_with(TransportLimits { drain_bytes: 64 * 1024, ..patient() }).await;
    let mut client = RawClient::connect(&app.base).await;
    client.send(b"GET /nothing HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").await;
    let head = client.read_head().await;
    assert!(head.starts_with("HTTP/1.1 404 ") && closes(&head), "{head}");
    let sent = client.send_until_cut_off(&vec![0; 0x10000], 256 * 1024 * 1024).await;
    assert!(sent < 256 * 1024 * 1024, "read without end");
    until_connections_are(&app, 0).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_limit_of_connections_more_of_them_wait() {
    let app = app_with(TransportLimits { connections: 2, head: AMPLE, drain: SHORT, ..patient() }).await;
    let begun = Instant::now();
    // One more, in place of the hold on the worker's sockets.
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(RawClient::connect(&app.base).await);
    }
    let mut waiting = RawClient::connect(&app.base).await;
    waiting.send(b"GET /healthz HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").await;
    let answer = waiting.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(begun.elapsed() >= AMPLE, "it did not wait");
    drop(silent);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn near_the_limit_of_connections_idle_ones_make_room() {
    let app = app_with(TransportLimits { connections: 2, crowded: AMPLE, ..patient() }).await;
    let mut idle = Vec::new();
    for _ in 0..3 {
        let mut client = RawClient::connect(&app.base).await;
        client.send(b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n").await;
        client.read_response().await;
        idle.push(client);
    }
    let mut waiting = RawClient::connect(&app.base).await;
    waiting.send(b"GET /healthz HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").await;
    let answer = waiting.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    drop(idle);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_does_not_count_as_an_http_connection() {
    let app = app_with(TransportLimits { connections: 1, ..patient() }).await;
    let session = open_session_once(&app).await;
    until_connections_are(&app, 0).await;
    let _socket = app.watch("alice", &session, "").await;
    let mut client = RawClient::connect(&app.base).await;
    client.send(b"GET /healthz HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").await;
    let answer = client.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_limit_of_sockets_more_of_them_are_refused() {
    let app = app_with(TransportLimits { sockets: 1, ..patient() }).await;
    let session = app.open_session("alice").await;
    let open = app.watch("alice", &session, "").await;
    let refused = send(handshake(&app, &session, "").bearer_auth(app.token_of("alice"))).await;
    assert!(!refused.header("retry-after").is_empty());
    refused.expect(503);
    // Other requests are served.
    app.get("alice", &format!("/api/chat/sessions/{session}")).await.expect(200);
    drop(open);
    app.until_no_session_is_watched().await;
    let authorization = format!("Bearer {}", app.token_of("alice"));
    let again = async {
        // Its place is free a moment after it has left the session.
        while TestSocket::try_open(&app.base, &session, "", &[("authorization", &authorization)]).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), again).await.expect("a place");
    app.stop().await;
}

/// A session of alice, opened with a connection that nothing uses again: a short limit may close it at any time.
async fn open_session_once(app: &TestApp) -> String {
    let request = app.request("alice", Method::POST, "/api/chat/sessions").json(&json!({}));
    let session = send(request.header(CONNECTION, "close")).await.expect(201);
    session["id"].as_str().expect("an id").to_owned()
}

/// The path of an attachment of this size, sent by alice, likewise.
async fn download_of(app: &TestApp, size: usize) -> String {
    let session = open_session_once(app).await;
    let form = Form::new().file(0, "large.bin", "application/octet-stream", &vec![7; size]);
    let message = send(form.to(app, "alice", &session).header(CONNECTION, "close")).await.expect(201);
    let url = message["attachments"][0]["url"].as_str().unwrap();
    url.strip_prefix(&app.base).unwrap_or(url).to_owned()
}

fn get(app: &TestApp, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {}\r\n\r\n", app.token_of("alice"))
}

#[test]
fn the_limits_are_those_of_the_documentation() {
    let limits = TransportLimits::default();
    assert_eq!([limits.head, limits.json_body, limits.idle].map(|limit| limit.as_secs()), [15, 15, 75]);
    assert_eq!([limits.stalled, limits.drain].map(|limit| limit.as_secs()), [20, 5]);
    let crowded = [limits.crowded, limits.crowded_silent, limits.crowded_stalled];
    assert_eq!(crowded.map(|limit| limit.as_secs()), [2, 1, 3]);
    assert_eq!(limits.drain_bytes, 64 * 1024);
}
