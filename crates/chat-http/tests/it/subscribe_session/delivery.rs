//! *Delivered*: the pong of a participant's socket says that what was written before the ping has arrived.

use std::time::Duration;

use chat_http::{HttpSettings, SocketSettings};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::support::app::Options;
use crate::support::{TestApp, TestSocket};

fn pings_at_once() -> Options {
    let sockets = SocketSettings { delivery_ping_after: Duration::from_millis(1), ..SocketSettings::default() };
    Options { http: HttpSettings { sockets, ..HttpSettings::default() }, ..Options::default() }
}

fn no_pings() -> Options {
    let hour = Duration::from_hours(1);
    let sockets = SocketSettings { delivery_ping_after: hour, ping_every: hour, ..SocketSettings::default() };
    Options { http: HttpSettings { sockets, ..HttpSettings::default() }, ..Options::default() }
}

/// Status and read mark of the newest message.
async fn newest(app: &TestApp, session: &str) -> (Value, Value) {
    let page = app.get("root", &format!("/api/chat/sessions/{session}/messages?limit=1")).await.expect(200);
    (page["messages"][0]["status"].clone(), page["messages"][0]["read"].clone())
}

fn sent() -> (Value, Value) {
    (json!("sent"), json!(false))
}

fn delivered() -> (Value, Value) {
    (json!("delivered"), json!(false))
}

/// Takes the frame of a message and the ping after it. The pong goes out with whatever is sent next.
async fn take_message_and_ping(socket: &mut TestSocket) {
    assert_eq!(socket.next().await["type"], "message");
    let frame = socket.raw().await;
    assert!(matches!(frame, Some(Message::Ping(_))), "{frame:?}");
}

on_every_store! {
    with pings_at_once;

    async fn a_support_message_is_delivered_by_the_pong_of_the_owners_socket(app) {
        let session = app.open_assigned("alice", "bob").await;
        let mut alice = app.watch("alice", &session, "").await;
        app.say("bob", &session, "hello").await;
        take_message_and_ping(&mut alice).await;
        assert_eq!(newest(app, &session).await, sent(), "the pong has not been sent yet");
        alice.settle().await;
        assert_eq!(newest(app, &session).await, delivered());
    }

    async fn a_message_of_the_owner_is_delivered_by_the_assigned_agents_socket(app) {
        let session = app.open_assigned("alice", "bob").await;
        let mut bob = app.watch("bob", &session, "").await;
        app.say("alice", &session, "hello").await;
        take_message_and_ping(&mut bob).await;
        bob.settle().await;
        assert_eq!(newest(app, &session).await, delivered());
    }

    async fn an_onlookers_pong_delivers_nothing(app) {
        let session = app.open_assigned("alice", "bob").await;
        let mut root = app.watch("root", &session, "").await;
        for author in ["alice", "bob"] {
            app.say(author, &session, "hello").await;
            take_message_and_ping(&mut root).await;
            root.settle().await;
            assert_eq!(newest(app, &session).await, sent(), "by {author}");
        }
        let waiting = app.open_session("alice").await;
        let mut carol = app.watch("carol", &waiting, "").await;
        app.say("alice", &waiting, "anyone?").await;
        take_message_and_ping(&mut carol).await;
        carol.settle().await;
        assert_eq!(newest(app, &waiting).await, sent());
    }

    async fn missed_messages_are_delivered_after_a_reconnect(app) {
        let session = app.open_assigned("alice", "bob").await;
        app.say("bob", &session, "one").await;
        app.say("bob", &session, "two").await;
        let mut alice = app.watch("alice", &session, "?since=2").await;
        assert_eq!(alice.next().await["data"]["content"], "one");
        // A ping may come between the two messages, and one comes after them.
        assert_eq!(alice.next().await["data"]["content"], "two");
        let frame = alice.raw().await;
        assert!(matches!(frame, Some(Message::Ping(_))), "{frame:?}");
        alice.settle().await;
        let page = app.get("alice", &format!("/api/chat/sessions/{session}/messages")).await.expect(200);
        let statuses: Vec<_> = page["messages"].as_array().unwrap().iter().map(|message| &message["status"]).collect();
        assert_eq!(statuses, ["delivered", "delivered"]);
    }

    async fn a_read_status_never_goes_back(app) {
        let session = app.open_assigned("alice", "bob").await;
        let mut alice = app.watch("alice", &session, "").await;
        let message = app.say("bob", &session, "hello").await;
        take_message_and_ping(&mut alice).await;
        let path = format!("/api/chat/sessions/{session}/read");
        app.put("alice", &path, json!({ "messageIds": [message["id"]] })).await.expect(204);
        assert_eq!(newest(app, &session).await, (json!("read"), json!(true)));
        alice.settle().await;
        assert_eq!(newest(app, &session).await, (json!("read"), json!(true)));
    }

    async fn a_delivery_is_no_frame(app) {
        let session = app.open_assigned("alice", "bob").await;
        let mut alice = app.watch("alice", &session, "").await;
        let mut bob = app.watch("bob", &session, "").await;
        app.say("bob", &session, "one").await;
        take_message_and_ping(&mut alice).await;
        alice.settle().await;
        assert_eq!(newest(app, &session).await, delivered());
        app.say("bob", &session, "two").await;
        assert_eq!(bob.next().await["data"]["content"], "one");
        assert_eq!(bob.next().await["data"]["content"], "two");
        assert_eq!(alice.next().await["data"]["content"], "two");
    }
}

on_every_store! {
    with no_pings;

    async fn a_pong_that_answers_no_ping_delivers_nothing(app) {
        let session = app.open_assigned("alice", "bob").await;
        let mut alice = app.watch("alice", &session, "").await;
        app.say("bob", &session, "hello").await;
        assert_eq!(alice.next().await["type"], "message");
        for payload in [&3_u64.to_be_bytes()[..], &u64::MAX.to_be_bytes(), b"", b"hello"] {
            alice.send(Message::Pong(payload.to_vec().into())).await;
        }
        alice.settle().await;
        assert_eq!(newest(app, &session).await, sent());
    }
}
