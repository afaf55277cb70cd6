//! `POST /api/chat/sessions/{sessionId}/ws-ticket`, and what a ticket opens.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chat_domain::ChatError;
use chat_domain::model::{Role, Ticket, TicketDigest, Timestamp};
use chat_domain::ports::{Clock, TicketStore};
use chat_domain::service::Ports;
use chat_http::{AllowedOrigin, HttpSettings};
use chat_testkit::fixtures;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::support::app::{Options, send, token};
use crate::support::handshake::{handshake, outcome, status, token_entry};
use crate::support::{Store, TestApp, TestSocket};

/// A ticket of `who` for the session.
async fn ticket(app: &TestApp, who: &str, session: &str) -> String {
    let ticket = app.post(who, &format!("/api/chat/sessions/{session}/ws-ticket"), json!(null)).await.expect(201);
    ticket["ticket"].as_str().unwrap().to_owned()
}

/// The status that a handshake with this ticket is answered with.
async fn shown(app: &TestApp, session: &str, ticket: &str) -> u16 {
    status(handshake(app, session, &format!("?ticket={ticket}"))).await
}

fn a_list_of_origins() -> Options {
    let origins = vec![AllowedOrigin::parse("https://shop.example").unwrap()];
    Options { http: HttpSettings { origins, ..HttpSettings::default() }, ..Options::default() }
}

on_every_store! {
    async fn a_ticket_opens_one_socket(app) {
        let session = app.open_session("alice").await;
        let path = format!("/api/chat/sessions/{session}/ws-ticket");
        let answer = send(app.request("alice", Method::POST, &path)).await;
        assert_eq!(answer.header("cache-control"), "no-store");
        let body = answer.expect(201);
        assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
        let text = body["ticket"].as_str().unwrap();
        assert_eq!(text.len(), 43, "32 bytes in base64url");
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'), "{text}");

        let mut socket = TestSocket::try_open(&app.base, &session, &format!("?ticket={text}"), &[]).await.unwrap();
        app.say("alice", &session, "hello").await;
        assert_eq!(socket.next().await["data"]["content"], "hello");
        assert_eq!(shown(app, &session, text).await, 401, "a second time, while the first socket is open");
        drop(socket);
        app.until_no_session_is_watched().await;
        assert_eq!(shown(app, &session, text).await, 401, "and after it was closed");
    }

    async fn a_ticket_opens_no_socket_of_another_session_and_is_used_up_by_that(app) {
        let (session, other) = (app.open_session("alice").await, app.open_session("alice").await);
        let ticket = ticket(app, "alice", &session).await;
        assert_eq!(shown(app, &other, &ticket).await, 401);
        assert_eq!(shown(app, &session, &ticket).await, 401, "used up");
    }

    async fn a_ticket_has_the_identity_of_its_requester(app) {
        let session = app.open_session("alice").await;
        let path = format!("/api/chat/sessions/{session}/ws-ticket");
        app.post("mallory", &path, json!(null)).await.expect_error(403, "FORBIDDEN");
        let unknown = format!("/api/chat/sessions/{}/ws-ticket", fixtures::session_id(404));
        app.post("alice", &unknown, json!(null)).await.expect_error(404, "SESSION_NOT_FOUND");
        // An agent who may see the session loses that right before the ticket is shown.
        let of_carol = ticket(app, "carol", &session).await;
        app.put("bob", &format!("/api/chat/sessions/{session}/assign"), json!({ "agentId": "bob" })).await.expect(200);
        assert_eq!(shown(app, &session, &of_carol).await, 403);
    }

    async fn of_fifty_uses_at_the_same_time_one_opens_a_socket(app) {
        let session = app.open_session("alice").await;
        let ticket = ticket(app, "alice", &session).await;
        let mut statuses = join_all((0..50).map(|_| shown(app, &session, &ticket))).await;
        statuses.sort_unstable();
        assert_eq!(statuses[0], 101);
        assert!(statuses[1..].iter().all(|status| *status == 401), "{statuses:?}");
    }

    async fn a_ticket_of_an_agent_deactivated_since_opens_no_socket(app) {
        app.put("root", "/api/chat/agents/bob", json!({})).await.expect(201);
        let session = app.open_assigned("alice", "bob").await;
        let ticket = ticket(app, "bob", &session).await;
        app.delete("root", "/api/chat/agents/bob").await.expect(200);
        let answer = send(handshake(app, &session, &format!("?ticket={ticket}"))).await;
        answer.expect_error(403, "AGENT_DEACTIVATED");
    }
}

on_every_store! {
    with a_list_of_origins;

    async fn a_request_that_can_open_no_socket_leaves_the_ticket_as_it_is(app) {
        let session = app.open_session("alice").await;
        let ticket = ticket(app, "alice", &session).await;
        let query = format!("?ticket={ticket}");
        let plain = send(app.anonymous(Method::GET, &format!("/ws/chat/{session}{query}"))).await;
        assert_eq!(plain.header("sec-websocket-version"), "13");
        plain.expect_error(426, "UPGRADE_REQUIRED");
        let malformed = app.anonymous(Method::GET, &format!("/ws/chat/{session}{query}"));
        let malformed = malformed.header("connection", "upgrade").header("upgrade", "websocket");
        send(malformed).await.expect_error(400, "VALIDATION_FAILED");
        let foreign = handshake(app, &session, &query).header("origin", "https://evil.example");
        send(foreign).await.expect_error(403, "ORIGIN_NOT_ALLOWED");
        let twice = handshake(app, &session, &query).bearer_auth(app.token_of("alice"));
        assert_eq!(status(twice).await, 401, "with a token too");
        assert_eq!(status(handshake(app, "not-a-uuid", &query)).await, 401, "what is no session has no ticket");

        let allowed = handshake(app, &session, &query).header("origin", "https://shop.example");
        assert_eq!(status(allowed).await, 101);
    }
}

#[tokio::test]
async fn a_ticket_works_for_30_seconds() {
    let app = TestApp::start(Store::Memory).await;
    let session = app.open_session("alice").await;
    let (early, late) = (ticket(&app, "alice", &session).await, ticket(&app, "alice", &session).await);
    app.clock.advance(Duration::from_secs(29));
    assert_eq!(shown(&app, &session, &early).await, 101);
    app.clock.advance(Duration::from_secs(2));
    assert_eq!(shown(&app, &session, &late).await, 401, "31 seconds old");
    app.stop().await;
}

#[tokio::test]
async fn a_ticket_and_its_socket_end_with_the_token_of_the_request() {
    let app = TestApp::start(Store::Memory).await;
    let session = app.open_session("alice").await;
    let path = format!("/api/chat/sessions/{session}/ws-ticket");
    let ends_in = |duration| {
        let now = app.clock.now();
        (token("alice", Role::User, now, now.plus(duration)), now.plus(duration))
    };

    let (short, ends_at) = ends_in(Duration::from_secs(10));
    let body = send(app.anonymous(Method::POST, &path).bearer_auth(short)).await.expect(201);
    assert_eq!(body["expiresAt"], format!("{}.000Z", &ends_at.to_string()[..19]), "{body}");
    app.clock.advance(Duration::from_secs(11));
    assert_eq!(shown(&app, &session, body["ticket"].as_str().unwrap()).await, 401);

    // Extended mode says when the socket ends.
    let (long, ends_at) = ends_in(Duration::from_mins(10));
    let body = send(app.anonymous(Method::POST, &path).bearer_auth(long)).await.expect(201);
    let query = format!("?ticket={}", body["ticket"].as_str().unwrap());
    let headers = [("sec-websocket-protocol", "chat.v1")];
    let mut socket = TestSocket::try_open(&app.base, &session, &query, &headers).await.unwrap();
    let hello = socket.next().await;
    // A token says whole seconds.
    assert_eq!(hello["data"]["tokenExpiresAt"], format!("{}.000Z", &ends_at.to_string()[..19]));
    drop(socket);
    app.stop().await;
}

#[tokio::test]
async fn a_ticket_works_in_either_mode_and_other_texts_are_refused() {
    let app = TestApp::start(Store::Memory).await;
    let session = app.open_session("alice").await;
    let one = ticket(&app, "alice", &session).await;
    let extended = handshake(&app, &session, &format!("?ticket={one}")).header("sec-websocket-protocol", "chat.v1");
    assert_eq!(outcome(extended).await, (101, Some("chat.v1".to_owned())));

    let one = ticket(&app, "alice", &session).await;
    for query in [
        "?ticket=".to_owned(),
        "?ticket".to_owned(),
        format!("?ticket={}", &one[1..]),
        format!("?ticket={one}A"),
        format!("?ticket={one}%00"),
        format!("?ticket={one}&ticket={one}"),
        format!("?Ticket={one}"),
        format!("?token={one}"),
        format!("?ticket={}", app.token_of("alice")),
        format!("?ticket={}", "A".repeat(43)),
    ] {
        let answer = send(handshake(&app, &session, &query)).await;
        assert_eq!(answer.header("www-authenticate"), "Bearer", "{query}");
        answer.expect_error(401, "UNAUTHENTICATED");
    }
    let both = handshake(&app, &session, &format!("?ticket={one}"));
    let entry = token_entry(&app.token_of("alice"));
    assert_eq!(status(both.header("sec-websocket-protocol", entry)).await, 401, "with a token as a subprotocol too");
    // A ticket says who opens a socket, and nothing else.
    let listing = format!("/api/chat/sessions?ticket={one}");
    assert_eq!(send(app.anonymous(Method::GET, &listing)).await.status, 401);
    assert_eq!(send(app.anonymous(Method::GET, "/api/chat/sessions").bearer_auth(&one)).await.status, 401);
    assert_eq!(shown(&app, &session, &one).await, 101, "it is still good");
    app.stop().await;
}

/// A store that cannot be asked for the first ticket shown, and can for the second.
struct UnavailableTicketStore {
    tickets: Arc<dyn TicketStore>,
    is_unreachable: AtomicBool,
}

#[async_trait]
impl TicketStore for UnavailableTicketStore {
    async fn put(&self, digest: TicketDigest, ticket: Ticket, now: Timestamp) -> chat_domain::Result<()> {
        self.tickets.put(digest, ticket, now).await
    }

    async fn take(&self, digest: TicketDigest, now: Timestamp) -> chat_domain::Result<Option<Ticket>> {
        if self.is_unreachable.swap(false, Ordering::Relaxed) {
            return Err(ChatError::unavailable("the test says so"));
        }
        self.tickets.take(digest, now).await
    }
}

#[tokio::test]
async fn a_ticket_that_cannot_be_looked_up_is_shown_again_later() {
    let replace_ports: fn(Ports) -> Ports = |ports| {
        let tickets = Arc::new(UnavailableTicketStore {
            tickets: Arc::clone(&ports.tickets),
            is_unreachable: AtomicBool::new(true),
        });
        Ports { tickets, ..ports }
    };
    let app = TestApp::with(Store::Memory, Options { replace_ports: Some(replace_ports), ..Options::default() }).await;
    let session = app.open_session("alice").await;
    let ticket = ticket(&app, "alice", &session).await;
    let answer = send(handshake(&app, &session, &format!("?ticket={ticket}"))).await;
    assert_eq!(answer.header("retry-after"), "1");
    answer.expect_error(503, "UNAVAILABLE");
    assert_eq!(shown(&app, &session, &ticket).await, 101);
    app.stop().await;
}
