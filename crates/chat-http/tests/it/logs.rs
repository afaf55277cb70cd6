//! What the log does not say.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use chat_domain::model::Role;
use chat_testkit::fixtures;
use reqwest::Method;
use serde_json::json;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::support::app::send;
use crate::support::handshake::{handshake, status, token_entry};
use crate::support::{Store, TestApp, TestSocket};

/// What was logged while it was listened to, by the tests that run at the same time too.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static LISTENING: AtomicBool = AtomicBool::new(false);

/// The crates of the clients.
const CLIENTS: [&str; 4] = ["hyper", "reqwest", "tokio_tungstenite", "tungstenite"];

struct Listener;

impl io::Write for Listener {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Listener {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}

#[tokio::test]
async fn tokens_tickets_and_names_do_not_reach_the_log_at_any_level() {
    // Everything, whatever an operator may choose. The subscriber is the whole process's, since a server has threads of
    // its own; no other test sets one.
    let listening = dynamic_filter_fn(|_, _| LISTENING.load(Ordering::Relaxed));
    let layer = tracing_subscriber::fmt::layer().json().with_writer(Listener).with_filter(listening);
    tracing_subscriber::registry().with(layer).init();
    LISTENING.store(true, Ordering::Relaxed);

    let app = TestApp::start(Store::Memory).await;
    let session = app.open_session("alice").await;
    // A person whom no other test has, so that no other test uses their token.
    let token = app.token("root-of-the-log", Role::Admin);
    let entry = token_entry(&token);
    let tickets = format!("/api/chat/sessions/{session}/ws-ticket");
    let body = send(app.anonymous(Method::POST, &tickets).bearer_auth(&token).json(&json!(null))).await.expect(201);
    let ticket = body["ticket"].as_str().unwrap();
    let query = format!("?ticket={ticket}");
    for path in [
        format!("/nowhere/{token}"),
        format!("/nowhere/{ticket}/{entry}"),
        format!("/api/chat/sessions/{token}/messages"),
        format!("/api/chat/sessions?access_token={token}"),
        format!("/api/chat/sessions?{token}=1"),
        format!("/nowhere%3Fticket%3D{ticket}"),
    ] {
        let refused = send(app.anonymous(Method::GET, &path).bearer_auth(&token)).await.status;
        assert!(refused.is_client_error(), "{path}: {refused}");
    }
    assert_eq!(status(handshake(&app, &session, &query)).await, 101);
    assert_eq!(status(handshake(&app, &session, &format!("{query}&token={token}"))).await, 401, "used up");
    assert_eq!(status(handshake(&app, &session, &format!("?token={token}")).bearer_auth(&token)).await, 400);
    assert_eq!(status(handshake(&app, &session, "").header("sec-websocket-protocol", &entry)).await, 101);
    assert_eq!(status(handshake(&app, &session, "").header("sec-websocket-protocol", format!("{entry}A"))).await, 401);
    assert_eq!(status(handshake(&app, &session, "").bearer_auth(format!("{token}A"))).await, 401);
    let offered = format!("chat.v1, {entry}");
    let headers = [("sec-websocket-protocol", offered.as_str())];
    let mut socket = TestSocket::try_open(&app.base, &session, "", &headers).await.unwrap();
    assert_eq!(socket.next().await["type"], "hello");
    socket.send(json!({ "type": "auth", "data": { "token": token } }).to_string().into()).await;
    assert_eq!(socket.next().await["type"], "auth_ok");
    socket.send(json!({ "type": "auth", "data": { "token": format!("{token}A") } }).to_string().into()).await;
    assert_eq!(socket.next().await["type"], "error");
    drop(socket);
    // The second one changes nothing.
    for _ in 0..2 {
        let update = app.anonymous(Method::PATCH, &format!("/api/chat/sessions/{session}")).bearer_auth(&token);
        send(update.json(&json!({ "subject": "Refund" }))).await.expect(200);
    }
    let (name, picture) = ("Alice Of-The-Log", "https://pictures.example.com/of-the-log.png");
    let named = app.token_with("alice", Some(name), Some(picture));
    let opened = send(app.anonymous(Method::POST, "/api/chat/sessions").bearer_auth(named).json(&json!({}))).await;
    assert_eq!(opened.expect(201)["user"]["name"], name);
    let download = send(app.anonymous(Method::POST, "/api/chat/download-ticket").bearer_auth(&token)).await.expect(201);
    let download = download["ticket"].as_str().unwrap();
    for query in [format!("?ticket={download}"), format!("?ticket={download}A"), format!("?ticket={download}&x=1")] {
        let path = format!("/api/chat/attachments/{}{query}", fixtures::attachment_id(404));
        assert!(send(app.anonymous(Method::GET, &path)).await.status.is_client_error());
    }
    app.stop().await;

    LISTENING.store(false, Ordering::Relaxed);
    let log = String::from_utf8_lossy(&LOG.lock().unwrap_or_else(PoisonError::into_inner)).into_owned();
    assert!(log.contains(&format!("/ws/chat/{session}")), "the requests are in the log");
    assert!(log.contains("UNAUTHENTICATED"), "and so are the refusals");
    assert!(log.contains("/nowhere/[redacted]"), "and so are paths that have a token, without it");
    assert_eq!(
        log.matches(&format!("\"message\":\"updated session {session}\"")).count(),
        1,
        "an update that changes nothing is not logged"
    );
    let encoded = entry.rsplit('.').next().unwrap();
    for (what, secret) in [
        ("the ticket", ticket),
        ("the ticket for downloads", download),
        ("the token", token.as_str()),
        ("its encoding", encoded),
        ("the name of a person", name),
        ("their picture", picture),
    ] {
        // The test's own clients share the process; what they write about what they send is not the server's log.
        let of_a_client = |line: &&str| CLIENTS.iter().any(|name| line.contains(&format!("\"target\":\"{name}")));
        let line = log.lines().filter(|line| !of_a_client(line)).find(|line| line.contains(secret));
        assert_eq!(line, None, "{what} is in the log");
    }
}
