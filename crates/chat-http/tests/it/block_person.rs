//! `PUT /api/chat/people/{personId}/block`, and what it means for the person

use chat_domain::model::AccessChange;
use chat_domain::ports::Clock;
use chat_testkit::fixtures;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::send;
use crate::support::raw::RawClient;
use crate::support::{Form, TestSocket};

const BLOCK_ALICE: &str = "/api/chat/people/alice/block";

on_every_store! {
    async fn a_blocked_person_gets_403_before_any_other_check(app) {
        let session = app.open_session("alice").await;
        app.put("root", BLOCK_ALICE, json!({ "reason": "abusive" })).await.expect(204);
        assert_eq!(app.put("root", BLOCK_ALICE, json!({})).await.expect(204), Value::Null, "again");
        let path = format!("/api/chat/sessions/{session}");
        let error = app.get("alice", &path).await.expect_error(403, "BLOCKED");
        assert_eq!(error["message"], "you have been blocked");
        app.get("alice", "/api/chat/sessions?page=0").await.expect_error(403, "BLOCKED");
        app.post("alice", &format!("{path}/messages"), json!([])).await.expect_error(403, "BLOCKED");
        app.post("alice", "/api/chat/sessions", json!({})).await.expect_error(403, "BLOCKED");
        app.get("alice", "/api/chat/stats").await.expect_error(403, "BLOCKED");
        let bearer = format!("Bearer {}", app.token_of("alice"));
        let opened = TestSocket::try_open(&app.base, &session, "", &[("authorization", &bearer)]).await;
        assert_eq!(opened.err(), Some(403));
        send(app.anonymous(Method::GET, &path).bearer_auth("x.y.z")).await.expect_error(401, "UNAUTHENTICATED");
        // What she has stays, and others go on.
        assert_eq!(app.get("bob", &path).await.expect(200)["userId"], "alice");
        app.get("mallory", "/api/chat/sessions").await.expect(200);
    }

    async fn a_block_needs_no_body(app) {
        send(app.request("root", Method::PUT, BLOCK_ALICE)).await.expect(204);
        app.get("alice", "/api/chat/sessions").await.expect_error(403, "BLOCKED");
    }

    async fn sockets_of_a_blocked_person_close_and_nothing_follows(app) {
        let session = app.open_assigned("alice", "bob").await;
        let mut base = app.watch("alice", &session, "").await;
        let (mut extended, _) = app.watch_extended("alice", &session, "").await;
        app.put("root", BLOCK_ALICE, json!({})).await.expect(204);
        app.say("bob", &session, "after").await;
        for socket in [&mut base, &mut extended] {
            assert_eq!(socket.closed().await, (4403, "blocked".to_owned()));
        }
    }

    async fn agents_and_admins_can_be_blocked(app) {
        let session = app.open_assigned("alice", "bob").await;
        let mut bob = app.watch("bob", &session, "").await;
        app.put("root", "/api/chat/people/bob/block", json!({})).await.expect(204);
        assert_eq!(bob.closed().await, (4403, "blocked".to_owned()));
        app.get("bob", "/api/chat/sessions").await.expect_error(403, "BLOCKED");
        app.put("root", "/api/chat/people/another-admin/block", json!({})).await.expect(204);
    }

    async fn an_admin_does_not_block_themself(app) {
        app.put("root", "/api/chat/people/root/block", json!({})).await.expect_invalid("personId");
        app.get("root", "/api/chat/sessions").await.expect(200);
    }

    async fn a_person_blocked_elsewhere_is_refused_from_the_next_refresh_on(app) {
        let session = app.open_session("alice").await;
        let mut alice = app.watch("alice", &session, "").await;
        app.revocations.change(fixtures::alice().id, AccessChange::Block, app.clock.now()).await.unwrap();
        app.get("alice", "/api/chat/sessions").await.expect(200);
        assert_eq!(app.service.refresh_revocations().await.unwrap(), 1);
        app.get("alice", "/api/chat/sessions").await.expect_error(403, "BLOCKED");
        assert_eq!(alice.closed().await, (4403, "blocked".to_owned()));
    }

    async fn a_body_that_ends_after_a_block_is_not_recorded(app) {
        let session = app.open_session("alice").await;
        let form = Form::new().file(0, "a.txt", "text/plain", b"hello").body();
        let json = br#"{"content":"hello"}"#.to_vec();
        for (content_type, body) in [("application/json".to_owned(), json), (Form::content_type(), form)] {
            let head = format!(
                "POST /api/chat/sessions/{session}/messages HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {}\r\n\
                 Content-Type: {content_type}\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
                app.token_of("alice"),
                body.len()
            );
            let mut client = RawClient::connect(&app.base).await;
            client.send(head.as_bytes()).await;
            // It has been admitted: the server asks for the body.
            assert_eq!(client.read_head().await, "HTTP/1.1 100 Continue\r\n\r\n");
            app.put("root", BLOCK_ALICE, json!({})).await.expect(204);
            client.send(&body).await;
            let (head, answer) = client.read_response().await;
            assert!(head.starts_with("HTTP/1.1 403 ") && answer.contains("BLOCKED"), "{head}{answer}");
            app.delete("root", BLOCK_ALICE).await.expect(204);
        }
        let page = app.get("alice", &format!("/api/chat/sessions/{session}/messages")).await.expect(200);
        assert_eq!(page["messages"], json!([]));
        assert_eq!(app.stored_files().await, 0);
    }

    async fn every_broken_rule_is_named(app) {
        app.put("root", BLOCK_ALICE, json!({ "reason": 5 })).await.expect_invalid("reason");
        app.put("root", BLOCK_ALICE, json!({ "reason": "x".repeat(501) })).await.expect_invalid("reason");
        app.put("root", BLOCK_ALICE, json!([])).await.expect_invalid("body");
        app.put("root", "/api/chat/people/alice/block?x=1", json!({})).await.expect_invalid("x");
        for id in ["%FF", "%20%20", &"x".repeat(129)] {
            app.put("root", &format!("/api/chat/people/{id}/block"), json!({})).await.expect_invalid("personId");
        }
        app.get("alice", "/api/chat/sessions").await.expect(200);
    }

    async fn only_an_admin_blocks(app) {
        for who in ["alice", "bob"] {
            app.put(who, "/api/chat/people/mallory/block", json!({})).await.expect_error(403, "FORBIDDEN");
        }
        app.get("mallory", "/api/chat/sessions").await.expect(200);
    }
}
