//! How often people and addresses may do what is limited.

use chat_http::{HttpSettings, ProxySettings, RateLimit, RateSettings, TrustedProxy};
use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::support::app::{Options, send};
use crate::support::handshake::handshake;
use crate::support::raw::RawClient;
use crate::support::{Answer, Form, Store, TestApp};

/// So seldom that nothing is earned back while a test runs.
const THREE: &str = "3/h";

async fn app_with(rates: RateSettings) -> TestApp {
    // Requests from the machine itself may name the address that they are to be counted under.
    let trusted = vec![TrustedProxy::Loopback];
    let proxies = ProxySettings { trusted, ..ProxySettings::default() };
    let http = HttpSettings { rates, proxies, ..HttpSettings::default() };
    TestApp::with(Store::Memory, Options { http, ..Options::default() }).await
}

fn three() -> RateLimit {
    RateLimit::parse(THREE).unwrap()
}

/// Checks a refusal: its code, and the same time in its headers and its message.
#[track_caller]
fn expect_limited(answer: Answer, name: &str) {
    let seconds: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1_100..=1_200).contains(&seconds), "a third of an hour: {seconds}");
    assert_eq!(answer.header("ratelimit-policy"), format!("\"{name}\";q=3;w=3600"));
    assert_eq!(answer.header("ratelimit"), format!("\"{name}\";r=0;t={seconds}"));
    let error = answer.expect_error(429, "RATE_LIMITED");
    assert!(error["message"].as_str().unwrap().ends_with(&format!("repeat this after {seconds} s")), "{error}");
}

#[tokio::test]
async fn messages_are_limited_for_each_person_and_repetitions_count() {
    let app = app_with(RateSettings { messages: three(), ..RateSettings::default() }).await;
    let session = app.open_assigned("alice", "bob").await;
    let path = format!("/api/chat/sessions/{session}/messages");
    let send_again =
        || app.request("alice", Method::POST, &path).header("idempotency-key", "one").json(&json!({ "content": "a" }));
    for _ in 0..2 {
        send(send_again()).await.expect(201);
    }
    // What is refused for another reason counts too.
    app.post("alice", &path, json!({ "content": "" })).await.expect_invalid("content");
    expect_limited(send(send_again()).await, "messages");
    expect_limited(send(Form::new().text("content", "a").to(&app, "alice", &session)).await, "messages");
    let update = json!({ "subject": "Refund" });
    expect_limited(app.patch("alice", &format!("/api/chat/sessions/{session}"), update).await, "messages");
    let status = json!({ "status": "away" });
    expect_limited(app.put("alice", "/api/chat/agents/me/availability", status).await, "messages");
    // Neither other people nor other requests are concerned.
    app.get("alice", &format!("/api/chat/sessions/{session}")).await.expect(200);
    app.say("bob", &session, "still possible").await;
    let page = app.get("alice", &path).await.expect(200);
    assert_eq!(page["totalCount"], 2, "{page}");
    app.stop().await;
}

#[tokio::test]
async fn sessions_are_limited_for_each_person() {
    let app = app_with(RateSettings { sessions: three(), ..RateSettings::default() }).await;
    for _ in 0..3 {
        app.open_session("alice").await;
    }
    expect_limited(app.post("alice", "/api/chat/sessions", json!({})).await, "sessions");
    app.get("alice", "/api/chat/sessions").await.expect(200);
    app.open_session("mallory").await;
    app.stop().await;
}

#[tokio::test]
async fn downloads_are_limited_and_a_look_counts_as_one() {
    let app = app_with(RateSettings { downloads: three(), ..RateSettings::default() }).await;
    let session = app.open_session("alice").await;
    let form = Form::new().file(0, "a.txt", "text/plain", b"hello");
    let message = send(form.to(&app, "alice", &session)).await.expect(201);
    let url = message["attachments"][0]["url"].as_str().unwrap().to_owned();
    let path = url.strip_prefix(&app.base).unwrap();
    app.get("alice", path).await.expect_status(200);
    send(app.request("alice", Method::HEAD, path)).await.expect_status(200);
    send(app.request("alice", Method::GET, path).header("range", "bytes=0-1")).await.expect_status(206);
    expect_limited(app.get("alice", path).await, "downloads");
    send(app.request("alice", Method::HEAD, path)).await.expect_status(429);
    app.get("root", path).await.expect_status(200);
    app.stop().await;
}

#[tokio::test]
async fn typing_counts_the_same_in_requests_and_in_frames() {
    let app = app_with(RateSettings { typing: three(), ..RateSettings::default() }).await;
    let session = app.open_assigned("alice", "bob").await;
    let path = format!("/api/chat/sessions/{session}/typing");
    let (mut socket, _) = app.watch_extended("alice", &session, "").await;
    let (mut other, _) = app.watch_extended("alice", &session, "").await;
    app.post("alice", &path, json!({ "isTyping": true })).await.expect(204);
    for socket in [&mut socket, &mut other] {
        socket.say("typing", json!({ "isTyping": true })).await;
        socket.settle().await;
    }
    socket.say_as("mine", "typing", json!({ "isTyping": true })).await;
    let error = socket.next().await;
    assert_eq!((&error["type"], &error["data"]["code"]), (&json!("error"), &json!("RATE_LIMITED")), "{error}");
    assert_eq!(error["data"]["ref"], "mine", "{error}");
    assert!(error["data"]["message"].as_str().unwrap().contains("repeat this after"), "{error}");
    expect_limited(app.post("alice", &path, json!({ "isTyping": true })).await, "typing");
    // The end of typing is let through on a socket, which lives on.
    socket.say("typing", json!({ "isTyping": false })).await;
    socket.settle().await;
    app.post("bob", &path, json!({ "isTyping": true })).await.expect(204);
    assert_eq!(socket.next().await["data"]["userId"], "bob");
    app.stop().await;
}

#[tokio::test]
async fn sockets_are_limited_for_each_address_whether_they_open_or_not() {
    let app = app_with(RateSettings { sockets: three(), ..RateSettings::default() }).await;
    let session = app.open_session("alice").await;
    let attempt = |address: &str| -> RequestBuilder {
        handshake(&app, &session, "").bearer_auth("nonsense").header("x-forwarded-for", address)
    };
    for _ in 0..3 {
        send(attempt("192.0.2.1")).await.expect_error(401, "UNAUTHENTICATED");
    }
    expect_limited(send(attempt("192.0.2.1")).await, "sockets");
    // Before the token is looked at, so that it costs no attempt to find one.
    expect_limited(send(attempt("192.0.2.1").bearer_auth(app.token_of("alice"))).await, "sockets");
    for address in ["192.0.2.2", "2001:db8::1", "2001:db8::2", "2001:db8::3"] {
        send(attempt(address)).await.expect_error(401, "UNAUTHENTICATED");
    }
    expect_limited(send(attempt("2001:db8::4")).await, "sockets");
    app.watch("alice", &session, "").await;
    app.stop().await;
}

#[tokio::test]
async fn a_refused_request_does_not_wait_for_its_body() {
    let app = app_with(RateSettings { messages: three(), ..RateSettings::default() }).await;
    let session = app.open_session("alice").await;
    for _ in 0..3 {
        app.say("alice", &session, "a").await;
    }
    let head = |more: &str| {
        let token = app.token_of("alice");
        format!(
            "POST /api/chat/sessions/{session}/messages HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token}\r\n{more}\r\n"
        )
    };
    for more in [
        "Content-Type: application/json\r\nContent-Length: 100000\r\n",
        "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 20000000\r\n",
        "Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n",
    ] {
        let mut client = RawClient::connect(&app.base).await;
        client.send(head(more).as_bytes()).await;
        let (answer, body) = client.read_response().await;
        assert!(answer.starts_with("HTTP/1.1 429 ") && body.contains("RATE_LIMITED"), "{answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
        client.finish().await;
        client.read_to_end().await;
    }
    // One whose body has come needs no new connection.
    let mut client = RawClient::connect(&app.base).await;
    for _ in 0..2 {
        client
            .send(format!("{}{{}}", head("Content-Type: application/json\r\nContent-Length: 2\r\n")).as_bytes())
            .await;
        let (answer, _) = client.read_response().await;
        assert!(answer.starts_with("HTTP/1.1 429 ") && !answer.contains("connection: close"), "{answer}");
    }
    app.stop().await;
}

#[tokio::test]
async fn the_limits_of_people_come_after_their_token_and_before_everything_else() {
    let app = app_with(RateSettings { messages: three(), ..RateSettings::default() }).await;
    let path = "/api/chat/sessions/no-session/messages";
    for _ in 0..5 {
        send(app.anonymous(Method::POST, path)).await.expect_error(401, "UNAUTHENTICATED");
    }
    for _ in 0..3 {
        app.post("alice", path, json!({ "content": "a" })).await.expect_error(404, "SESSION_NOT_FOUND");
    }
    expect_limited(app.post("alice", path, json!({ "content": "a" })).await, "messages");
    app.stop().await;
}
