//! What the client of a socket of many sessions asks for, and how it is answered.

use chat_testkit::fixtures;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::asyncapi::assert_described;
use crate::support::{Store, TestApp};

on_every_store! {
    async fn a_session_is_subscribed_and_unsubscribed(app) {
        let (session, other) = (app.open_session("alice").await, app.open_session("alice").await);
        let mut alice = app.open_socket("alice").await;
        let subscribed = alice.subscribe(&session, json!({})).await;
        assert_eq!((&subscribed["seq"], &subscribed["resumed"]), (&json!(1), &json!(false)), "{subscribed}");
        assert_eq!((&subscribed["reason"], &subscribed["replayed"]), (&json!("fresh"), &json!(0)));
        assert!(subscribed["epoch"].is_string());
        app.say("alice", &other, "not here").await;
        app.say("alice", &session, "here").await;
        let frame = alice.next().await;
        assert_eq!((&frame["sessionId"], &frame["seq"]), (&json!(session), &json!(2)), "{frame}");
        assert_eq!(frame["data"]["content"], "here");
        alice.say_of(&session, "unsubscribe", json!({})).await;
        assert_eq!(alice.unsubscribed(&session).await, (1000, "done".to_owned()));
        app.say("alice", &session, "not any more").await;
        alice.settle().await;
        // Again, from where it was.
        let again = alice.subscribe(&session, json!({ "since": 2, "epoch": subscribed["epoch"] })).await;
        assert_eq!((&again["resumed"], &again["replayed"], &again["seq"]), (&json!(true), &json!(1), &json!(3)));
        assert_eq!(alice.next().await["data"]["content"], "not any more");
    }

    async fn a_refused_subscription_is_unsubscribed(app) {
        let (hers, foreign) = (app.open_session("alice").await, app.open_session("mallory").await);
        let mut alice = app.open_socket("alice").await;
        let unknown = fixtures::session_id(404).to_string();
        let long = "s".repeat(1_000);
        for (session, expected) in [
            (foreign.as_str(), (4403, "access lost")),
            (&unknown, (4404, "session gone")),
            ("no \"session\" \u{1f642}", (4404, "session gone")),
            ("", (4404, "session gone")),
            (&long, (4404, "session gone")),
            ("00000000-0000-0000-0000-000000000000", (4404, "session gone")),
        ] {
            alice.say_of(session, "subscribe", json!({})).await;
            let (code, reason) = alice.unsubscribed(session).await;
            assert_eq!((code, reason.as_str()), expected, "{session}");
        }
        alice.subscribe(&hers, json!({})).await;
        assert_eq!(app.hub.subscriptions(), 1);
    }

    async fn events_that_cannot_be_replayed_are_reported_in_subscribed(app) {
        let session = app.open_session("alice").await;
        let mut alice = app.open_socket("alice").await;
        for (from, reason) in [
            (json!({ "since": 7 }), "ahead"),
            (json!({ "since": 1, "epoch": "another" }), "epoch"),
        ] {
            let subscribed = alice.subscribe(&session, from).await;
            assert_eq!((&subscribed["resumed"], &subscribed["reason"]), (&json!(false), &json!(reason)));
            alice.say_of(&session, "unsubscribe", json!({})).await;
            assert_eq!(alice.unsubscribed(&session).await.0, 1000);
        }
    }

    async fn acknowledgements_and_typing_are_those_of_their_session(app) {
        let (first, second) = (app.open_assigned("alice", "bob").await, app.open_assigned("alice", "bob").await);
        app.say("alice", &first, "one").await;
        app.say("alice", &second, "two").await;
        let mut alice = app.watch_extended("alice", &second, "").await.0;
        let mut other = app.watch_extended("alice", &first, "").await.0;
        let mut bob = app.open_socket("bob").await;
        bob.subscribe(&first, json!({})).await;
        bob.subscribe(&second, json!({})).await;
        bob.say_of(&second, "ack", json!({ "seq": 3 })).await;
        let receipt = alice.next().await;
        assert_eq!((&receipt["type"], &receipt["data"]["status"]), (&json!("receipt"), &json!("delivered")), "{receipt}");
        let own = bob.next().await;
        assert_eq!((&own["type"], &own["sessionId"]), (&json!("receipt"), &json!(second)), "{own}");
        bob.say_of(&first, "read", json!({ "seq": 3 })).await;
        assert_eq!(other.next().await["data"]["status"], "read");
        assert_eq!(bob.next().await["sessionId"], json!(first));
        bob.say_of(&first, "typing", json!({ "isTyping": true })).await;
        let typing = other.next().await;
        assert_eq!((&typing["type"], &typing["data"]["isTyping"]), (&json!("typing"), &json!(true)), "{typing}");
        // It ends when the session is left, though the socket stays.
        app.let_typing_wait_no_longer();
        bob.say_of(&first, "unsubscribe", json!({})).await;
        assert_eq!(bob.unsubscribed(&first).await.0, 1000);
        app.let_typing_wait_no_longer();
        let typing = other.next().await;
        assert_eq!((&typing["type"], &typing["data"]["isTyping"]), (&json!("typing"), &json!(false)), "{typing}");
        alice.settle().await;
    }

    async fn acknowledgements_before_the_end_of_a_subscription_are_recorded(app) {
        let session = app.open_assigned("alice", "bob").await;
        let mut bob = app.open_socket("bob").await;
        bob.subscribe(&session, json!({})).await;
        for (said, status) in [("ack", "delivered"), ("read", "read")] {
            let message = app.say("alice", &session, said).await;
            let frame = bob.next().await;
            bob.say_of(&session, said, json!({ "seq": frame["seq"] })).await;
            bob.say_of(&session, "unsubscribe", json!({})).await;
            let mut frame = bob.next().await;
            while frame["type"] != "unsubscribed" {
                frame = bob.next().await;
            }
            // Its answer comes behind what was said before it.
            bob.settle().await;
            let path = format!("/api/chat/sessions/{session}/messages/{}", message["id"].as_str().unwrap());
            assert_eq!(app.get("alice", &path).await.expect(200)["status"], status);
            bob.subscribe(&session, json!({})).await;
        }
    }

    async fn frames_about_sessions_without_a_subscription_are_errors(app) {
        let session = app.open_session("alice").await;
        let mut alice = app.open_socket("alice").await;
        for (kind, data) in [
            ("ack", json!({ "seq": 1 })),
            ("read", json!({ "seq": 1 })),
            ("typing", json!({ "isTyping": true })),
            ("unsubscribe", json!({})),
        ] {
            alice.say_of(&session, kind, data).await;
            assert_eq!(alice.error().await, ("NOT_SUBSCRIBED".to_owned(), kind.to_owned(), json!(session)));
        }
        alice.say_of("no session", "unsubscribe", json!({})).await;
        assert_eq!(alice.error().await.2, json!("no session"));
        alice.subscribe(&session, json!({})).await;
        let again = json!({ "type": "subscribe", "sessionId": session, "ref": "again" });
        alice.send(Message::text(again.to_string())).await;
        assert_eq!(alice.error().await, ("ALREADY_SUBSCRIBED".to_owned(), "again".to_owned(), json!(session)));
        alice.say_of(&session, "ack", json!({ "seq": 99 })).await;
        assert_eq!(alice.error().await, ("VALIDATION_FAILED".to_owned(), "ack".to_owned(), json!(session)));
    }
}

#[tokio::test]
async fn malformed_frames_close_the_socket_and_unknown_ones_do_not() {
    let app = TestApp::start(Store::Memory).await;
    let session = app.open_session("alice").await;
    for text in [
        "{".to_owned(),
        "[]".to_owned(),
        r#"{"type":"subscribe"}"#.to_owned(),
        r#"{"type":"subscribe","sessionId":7}"#.to_owned(),
        format!(r#"{{"type":"subscribe","sessionId":"{session}","data":{{"since":"1"}}}}"#),
        format!(r#"{{"type":"ack","sessionId":"{session}"}}"#),
        r#"{"type":"typing","data":{"isTyping":true}}"#.to_owned(),
        r#"{"type":"auth"}"#.to_owned(),
    ] {
        let mut alice = app.open_socket("alice").await;
        alice.send(Message::text(text.clone())).await;
        let (code, reason) = alice.closed().await;
        assert_eq!(code, 4400, "{text}");
        assert!(reason.starts_with("bad frame: "), "{reason}");
    }
    let mut alice = app.open_socket("alice").await;
    for text in [r#"{"type":"open_outbox","data":{"views":["mine"]}}"#, r#"{"type":"later","sessionId":[]}"#] {
        alice.send(Message::text(text)).await;
    }
    alice.say("heartbeat", json!({})).await;
    alice.settle().await;
    alice.send(Message::binary(b"{}".to_vec())).await;
    assert_eq!(alice.closed().await.0, 1003);
    app.stop().await;
}

on_every_store! {
    async fn frames_on_a_real_socket_fit_the_document(app) {
        let session = app.open_assigned("alice", "bob").await;
        let bearer = format!("Bearer {}", app.token_of("alice"));
        let headers = [("authorization", bearer.as_str()), ("sec-websocket-protocol", "chat.v1")];
        let mut alice = crate::support::TestSocket::try_open_multiplexed(&app.base, "", &headers).await.unwrap();
        assert_described("multiplexed", &alice.next().await);
        alice.say_of(&session, "subscribe", json!({})).await;
        assert_eq!(assert_described("multiplexed", &alice.next().await), "subscribed");
        let message = app.say("bob", &session, "hello").await;
        let read = json!({ "messageIds": [message["id"]] });
        app.put("alice", &format!("/api/chat/sessions/{session}/read"), read).await.expect(204);
        let typing = json!({ "isTyping": true });
        app.post("bob", &format!("/api/chat/sessions/{session}/typing"), typing).await.expect(204);
        app.put("bob", &format!("/api/chat/sessions/{session}/close"), json!(null)).await.expect(200);
        alice.say_of(&session, "ack", json!({ "seq": 999 })).await;
        alice.say("auth", json!({ "token": app.token_of("alice") })).await;
        alice.say("auth", json!({ "token": "no token" })).await;
        let mut wanted: Vec<&str> = vec!["message", "receipt", "typing", "session_update", "error", "auth_ok", "error"];
        while !wanted.is_empty() {
            let frame: Value = alice.next().await;
            let kind = assert_described("multiplexed", &frame);
            if let Some(at) = wanted.iter().position(|wanted| *wanted == kind) {
                wanted.remove(at);
            }
        }
        alice.say_of(&session, "unsubscribe", json!({})).await;
        let mut frame = alice.next().await;
        while assert_described("multiplexed", &frame) != "unsubscribed" {
            frame = alice.next().await;
        }
    }
}
