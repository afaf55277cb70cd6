//! `POST /api/chat/ws-ticket`, and what a ticket opens.

use std::time::Duration;

use chat_testkit::fixtures;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::support::app::send;
use crate::support::handshake::{handshake, status};
use crate::support::{Store, TestApp, TestSocket};

async fn ticket(app: &TestApp, who: &str) -> String {
    let ticket = app.post(who, "/api/chat/ws-ticket", json!(null)).await.expect(201);
    ticket["ticket"].as_str().unwrap().to_owned()
}

/// The status that a handshake with this ticket is answered with, at the address without a session.
async fn shown(app: &TestApp, ticket: &str) -> u16 {
    let headers = [("sec-websocket-protocol", "chat.v1")];
    match TestSocket::try_open_multiplexed(&app.base, &format!("?ticket={ticket}"), &headers).await {
        Ok(_open) => 101,
        Err(status) => status,
    }
}

on_every_store! {
    async fn a_ticket_opens_one_socket_in_the_name_of_its_requester(app) {
        let answer = send(app.request("bob", Method::POST, "/api/chat/ws-ticket")).await;
        assert_eq!(answer.header("cache-control"), "no-store");
        let body = answer.expect(201);
        assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
        let text = body["ticket"].as_str().unwrap();
        assert_eq!(text.len(), 43, "32 bytes in base64url");
        let headers = [("sec-websocket-protocol", "chat.v1")];
        let query = format!("?ticket={text}");
        let mut socket = TestSocket::try_open_multiplexed(&app.base, &query, &headers).await.unwrap();
        let hello = socket.next().await;
        assert_eq!((&hello["data"]["userId"], &hello["data"]["role"]), (&json!("bob"), &json!("agent")));
        assert_eq!(shown(app, text).await, 401, "a second time");
    }

    async fn tickets_with_and_without_a_session_are_not_interchangeable(app) {
        let session = app.open_session("alice").await;
        let any = ticket(app, "alice").await;
        assert_eq!(status(handshake(app, &session, &format!("?ticket={any}"))).await, 401);
        assert_eq!(shown(app, &any).await, 401, "it is used up");
        let path = format!("/api/chat/sessions/{session}/ws-ticket");
        let one = app.post("alice", &path, json!(null)).await.expect(201);
        let one = one["ticket"].as_str().unwrap();
        assert_eq!(shown(app, one).await, 401);
        assert_eq!(status(handshake(app, &session, &format!("?ticket={one}"))).await, 401, "it is used up");
        // As stores keep a ticket without a session.
        let any = ticket(app, "alice").await;
        let nil = "00000000-0000-0000-0000-000000000000";
        assert_eq!(status(handshake(app, nil, &format!("?ticket={any}"))).await, 401);
    }

    async fn of_fifty_uses_at_the_same_time_one_opens_a_socket(app) {
        let ticket = ticket(app, "alice").await;
        let mut statuses = join_all((0..50).map(|_| shown(app, &ticket))).await;
        statuses.sort_unstable();
        assert_eq!(statuses[0], 101);
        assert!(statuses[1..].iter().all(|status| *status == 401), "{statuses:?}");
    }

    async fn a_request_that_can_open_no_socket_leaves_the_ticket_as_it_is(app) {
        let ticket = ticket(app, "alice").await;
        let query = format!("?ticket={ticket}");
        let plain = send(app.anonymous(Method::GET, &format!("/ws/chat{query}"))).await;
        plain.expect_error(426, "UPGRADE_REQUIRED");
        let foreign = [("sec-websocket-protocol", "chat.v1"), ("origin", "https://evil.example")];
        assert_eq!(TestSocket::try_open_multiplexed(&app.base, &query, &foreign).await.err(), Some(403));
        assert_eq!(shown(app, &ticket).await, 101);
    }

    async fn a_ticket_of_an_agent_deactivated_since_opens_no_socket(app) {
        app.put("root", "/api/chat/agents/bob", json!({})).await.expect(201);
        let ticket = ticket(app, "bob").await;
        app.delete("root", "/api/chat/agents/bob").await.expect(200);
        assert_eq!(shown(app, &ticket).await, 403);
    }
}

#[tokio::test]
async fn a_ticket_works_for_30_seconds() {
    let app = TestApp::start(Store::Memory).await;
    let (early, late) = (ticket(&app, "alice").await, ticket(&app, "alice").await);
    app.clock.advance(Duration::from_secs(29));
    assert_eq!(shown(&app, &early).await, 101);
    app.clock.advance(Duration::from_secs(2));
    assert_eq!(shown(&app, &late).await, 401, "31 seconds old");
    let unknown = format!("/api/chat/sessions/{}/ws-ticket", fixtures::session_id(404));
    app.post("alice", &unknown, json!(null)).await.expect_error(404, "SESSION_NOT_FOUND");
    app.post("alice", "/api/chat/ws-ticket?more=1", json!(null)).await.expect_error(400, "VALIDATION_FAILED");
    app.stop().await;
}
