//! The extended mode, `chat.v1`: greeting, positions, receipts, and what the client may say.

use std::time::Duration;

use chat_domain::model::SessionId;
use chat_domain::service::SendMessage;
use chat_http::{HttpSettings, SocketSettings};
use chat_testkit::fixtures;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::support::app::{Options, send};
use crate::support::raw::{RawClient, RawFrame, client_frame};
use crate::support::{TestApp, TestSocket, plain};

/// Short enough to be waited for, and longer than a busy machine keeps a client from its answer.
const SILENCE_LIMIT: Duration = Duration::from_secs(3);
/// Not more pings within the limit of silence than a client may send frames at once.
const PING_EVERY: Duration = Duration::from_millis(100);

fn impatience() -> Options {
    let sockets = SocketSettings { ping_every: PING_EVERY, silence_limit: SILENCE_LIMIT, ..SocketSettings::default() };
    Options { http: HttpSettings { sockets, ..HttpSettings::default() }, ..Options::default() }
}

/// The status of the newest message.
async fn status(app: &TestApp, session: &str) -> Value {
    let page = app.get("root", &format!("/api/chat/sessions/{session}/messages?limit=1")).await.expect(200);
    page["messages"][0]["status"].clone()
}

/// The next frame, which must be an error; its data.
async fn error(socket: &mut TestSocket) -> Value {
    let mut frame = socket.next().await;
    assert_eq!(frame["type"], "error", "{frame}");
    frame["data"].take()
}

on_every_store! {
    async fn hello_describes_the_socket_and_its_start(app) {
        let session = app.open_session("alice").await;
        let (_socket, hello) = app.watch_extended("alice", &session, "").await;
        let [connection, epoch, ends, now] = ["connectionId", "epoch", "tokenExpiresAt", "serverTime"].map(|field| {
            let text = hello[field].as_str().unwrap_or_else(|| panic!("{field} is missing: {hello}"));
            assert!(!text.is_empty(), "{field} is empty");
            text
        });
        assert!(ends.ends_with('Z') && now.ends_with('Z'), "{hello}");
        assert_eq!(
            hello,
            json!({
                "connectionId": connection, "sessionId": session, "userId": "alice", "epoch": epoch, "seq": 1,
                "resumed": false, "reason": "fresh", "replayed": 0, "heartbeatMs": 25_000, "maxFrameBytes": 16_384,
                "tokenExpiresAt": ends, "serverTime": now,
            })
        );
        let (_other, other) = app.watch_extended("alice", &session, "").await;
        assert_ne!(other["connectionId"], hello["connectionId"]);
        assert_eq!(other["epoch"], hello["epoch"]);
    }

    async fn durable_frames_have_their_position_and_typing_has_none(app) {
        let session = app.open_session("alice").await;
        let (mut alice, _) = app.watch_extended("alice", &session, "").await;
        let assign = format!("/api/chat/sessions/{session}/assign");
        let assigned = app.put("bob", &assign, json!({ "agentId": "bob" })).await.expect(200);
        assert_eq!(alice.next().await, json!({ "type": "session_update", "seq": 2, "data": assigned }));
        let path = format!("/api/chat/sessions/{session}/typing");
        app.post("bob", &path, json!({ "isTyping": true })).await.expect(204);
        let typing = alice.next().await;
        assert_eq!((&typing["type"], typing.get("seq")), (&json!("typing"), None));
        let sent = app.say("bob", &session, "hello").await;
        assert_eq!(alice.next().await, json!({ "type": "message", "seq": 3, "data": sent }));
    }

    async fn only_the_senders_sockets_get_the_idempotency_key(app) {
        let session = app.open_assigned("alice", "bob").await;
        let (mut alice, _) = app.watch_extended("alice", &session, "").await;
        let (mut bob, _) = app.watch_extended("bob", &session, "").await;
        let mut in_base_mode = app.watch("alice", &session, "").await;
        let post = app.request("alice", reqwest::Method::POST, &format!("/api/chat/sessions/{session}/messages"));
        let sent = send(post.header("idempotency-key", "key-1").json(&json!({ "content": "hi" }))).await.expect(201);
        let with_key = json!({ "type": "message", "seq": 3, "idempotencyKey": "key-1", "data": sent });
        let without = json!({ "type": "message", "seq": 3, "data": sent });
        assert_eq!(bob.next().await, without);
        assert_eq!(alice.next().await, with_key);
        assert_eq!(in_base_mode.next().await, json!({ "type": "message", "data": plain(&sent) }));
        let (mut again, _) = app.watch_extended("alice", &session, "?since=2").await;
        assert_eq!(again.next().await, with_key, "replayed as well");
        let (mut again, _) = app.watch_extended("bob", &session, "?since=2").await;
        assert_eq!(again.next().await, without);
    }

    async fn a_resumed_socket_gets_the_missed_events_and_their_number(app) {
        let session = app.open_assigned("alice", "bob").await;
        app.say("bob", &session, "one").await;
        app.say("bob", &session, "two").await;
        let (mut alice, hello) = app.watch_extended("alice", &session, "?since=2").await;
        assert_eq!((&hello["resumed"], &hello["replayed"], &hello["seq"]), (&json!(true), &json!(2), &json!(4)));
        assert_eq!(hello.get("reason"), None);
        for (seq, content) in [(3, "one"), (4, "two")] {
            let frame = alice.next().await;
            assert_eq!((&frame["seq"], &frame["data"]["content"]), (&json!(seq), &json!(content)));
        }
        let epoch = hello["epoch"].as_str().unwrap();
        let (_, hello) = app.watch_extended("alice", &session, &format!("?since=4&epoch={epoch}")).await;
        assert_eq!((&hello["resumed"], &hello["replayed"]), (&json!(true), &json!(0)));
    }

    async fn an_impossible_replay_is_reported_and_the_socket_starts_live(app) {
        let session = app.open_session("alice").await;
        for (query, reason) in [("?since=2", "ahead"), ("?since=1&epoch=another-history", "epoch")] {
            let (mut alice, hello) = app.watch_extended("alice", &session, query).await;
            assert_eq!((&hello["resumed"], &hello["reason"]), (&json!(false), &json!(reason)), "{query}");
            assert_eq!(hello["replayed"], 0);
            alice.settle().await;
        }
        let (id, alice) = (SessionId::parse(&session).unwrap(), fixtures::alice());
        let posts = (1..=1_000).map(|number: u32| app.service.send_message(&alice, id, SendMessage::text(number.to_string()), None));
        for posted in join_all(posts).await {
            posted.unwrap();
        }
        let (mut socket, hello) = app.watch_extended("alice", &session, "?since=0").await;
        assert_eq!((&hello["resumed"], &hello["reason"]), (&json!(false), &json!("too_many_missed")));
        app.say("alice", &session, "live").await;
        let frame = socket.next().await;
        assert_eq!((&frame["seq"], &frame["data"]["content"]), (&json!(1_002), &json!("live")));
    }

    async fn an_acknowledgement_delivers_and_the_sender_hears_of_it(app) {
        let session = app.open_assigned("alice", "bob").await;
        let (mut alice, _) = app.watch_extended("alice", &session, "").await;
        let (mut bob, _) = app.watch_extended("bob", &session, "").await;
        let sent = app.say("bob", &session, "hello").await;
        assert_eq!(alice.next().await["seq"], 3);
        assert_eq!(bob.next().await["seq"], 3);
        assert_eq!(status(app, &session).await, "sent");
        alice.say("ack", json!({ "seq": 3 })).await;
        let receipt = bob.next().await;
        let timestamp = receipt["data"]["timestamp"].as_str().unwrap();
        assert_eq!(
            receipt,
            json!({
                "type": "receipt", "seq": 4,
                "data": {
                    "userId": "alice", "status": "delivered", "upToSeq": 3, "messageIds": [sent["id"]],
                    "timestamp": timestamp,
                },
            })
        );
        assert_eq!(alice.next().await, receipt);
        assert_eq!(status(app, &session).await, "delivered");
    }

    async fn acknowledgements_in_a_row_are_few_receipts(app) {
        let session = app.open_assigned("alice", "bob").await;
        let (mut alice, _) = app.watch_extended("alice", &session, "").await;
        for number in 0..10 {
            app.say("bob", &session, &number.to_string()).await;
        }
        for seq in 3..=12 {
            assert_eq!(alice.next().await["seq"], seq);
        }
        for seq in 3..=12 {
            alice.say("ack", json!({ "seq": seq })).await;
        }
        let first = alice.next().await;
        assert_eq!(first["type"], "receipt");
        let mut up_to = first["data"]["upToSeq"].clone();
        if up_to != 12 {
            let second = alice.next().await;
            assert_eq!(second["type"], "receipt");
            up_to = second["data"]["upToSeq"].clone();
        }
        assert_eq!(up_to, 12);
    }

    async fn acknowledgements_before_a_close_are_recorded(app) {
        let session = app.open_assigned("alice", "bob").await;
        let (mut alice, _) = app.watch_extended("alice", &session, "").await;
        app.say("bob", &session, "one").await;
        app.say("bob", &session, "two").await;
        let (mut bob, _) = app.watch_extended("bob", &session, "").await;
        assert_eq!(alice.next().await["seq"], 3);
        assert_eq!(alice.next().await["seq"], 4);
        alice.say("ack", json!({ "seq": 3 })).await;
        assert_eq!(bob.next().await["data"]["upToSeq"], 3);
        // Within the second in which no other is recorded.
        alice.say("ack", json!({ "seq": 4 })).await;
        alice.send(Message::Close(Some(CloseFrame { code: CloseCode::Normal, reason: "".into() }))).await;
        assert_eq!(bob.next().await["data"]["upToSeq"], 4);
    }

    async fn nothing_ahead_of_the_socket_can_be_acknowledged_or_read(app) {
        let session = app.open_assigned("alice", "bob").await;
        app.say("bob", &session, "before").await;
        let (mut alice, _) = app.watch_extended("alice", &session, "").await;
        for (kind, seq) in [("ack", 4), ("ack", u64::MAX >> 1), ("read", 4), ("read", u64::MAX >> 1)] {
            alice.say_as("a1", kind, json!({ "seq": seq })).await;
            let refusal = error(&mut alice).await;
            assert_eq!((&refusal["code"], &refusal["ref"]), (&json!("VALIDATION_FAILED"), &json!("a1")), "{refusal}");
        }
        alice.settle().await;
        assert_eq!(status(app, &session).await, "sent");
        // What was there when the socket began may have been read otherwise.
        alice.say("ack", json!({ "seq": 3 })).await;
        assert_eq!(alice.next().await["type"], "receipt");
        assert_eq!(status(app, &session).await, "delivered");
    }

    async fn one_receipt_covers_all_messages_read_before(app) {
        let session = app.open_assigned("alice", "bob").await;
        let (mut bob, _) = app.watch_extended("bob", &session, "").await;
        let (mut alice, _) = app.watch_extended("alice", &session, "").await;
        let ids = [app.say("bob", &session, "one").await, app.say("bob", &session, "two").await].map(|m| m["id"].clone());
        assert_eq!(alice.next().await["seq"], 3);
        assert_eq!(alice.next().await["seq"], 4);
        alice.say("read", json!({ "seq": 4 })).await;
        assert_eq!(bob.next().await["seq"], 3);
        assert_eq!(bob.next().await["seq"], 4);
        let receipt = bob.next().await;
        assert_eq!((&receipt["data"]["status"], &receipt["data"]["upToSeq"]), (&json!("read"), &json!(4)));
        assert_eq!(receipt["data"]["messageIds"], json!(ids));
        assert_eq!(status(app, &session).await, "read");
    }

    async fn an_onlooker_neither_reads_nor_types_nor_delivers(app) {
        let session = app.open_assigned("alice", "bob").await;
        let (mut carol, _) = app.watch_extended("root", &session, "").await;
        let waiting = app.open_session("alice").await;
        app.say("alice", &waiting, "anyone?").await;
        let (mut onlooker, _) = app.watch_extended("carol", &waiting, "?since=1").await;
        assert_eq!(onlooker.next().await["seq"], 2);
        for (kind, data) in [("read", json!({ "seq": 2 })), ("typing", json!({ "isTyping": true }))] {
            onlooker.say_as("x", kind, data).await;
            let refusal = error(&mut onlooker).await;
            assert_eq!((&refusal["code"], &refusal["ref"]), (&json!("FORBIDDEN"), &json!("x")), "{kind}");
        }
        onlooker.say("ack", json!({ "seq": 2 })).await;
        onlooker.settle().await;
        assert_eq!(status(app, &waiting).await, "sent");
        carol.settle().await;
    }

    async fn typing_is_sent_to_the_other_participants(app) {
        let session = app.open_assigned("alice", "bob").await;
        let (mut alice, _) = app.watch_extended("alice", &session, "").await;
        let (mut bob, _) = app.watch_extended("bob", &session, "").await;
        for is_typing in [true, false] {
            app.let_typing_wait_no_longer();
            alice.say("typing", json!({ "isTyping": is_typing })).await;
            let frame = bob.next().await;
            assert_eq!(frame["type"], "typing");
            assert_eq!((&frame["data"]["userId"], &frame["data"]["isTyping"]), (&json!("alice"), &json!(is_typing)));
        }
        alice.settle().await;
    }

    async fn frames_of_a_later_version_are_ignored(app) {
        let session = app.open_session("alice").await;
        let (mut alice, _) = app.watch_extended("alice", &session, "").await;
        alice.say("dance", json!({ "steps": [1, 2, 3] })).await;
        alice.send(Message::text(r#"{"type":"dance"}"#)).await;
        let more = json!({ "type": "heartbeat", "data": { "seq": 1, "mood": "fine" }, "more": {} });
        alice.send(Message::text(more.to_string())).await;
        alice.settle().await;
    }

    async fn a_frame_that_makes_no_sense_ends_the_socket(app) {
        let session = app.open_session("alice").await;
        let deep = "[".repeat(8_000);
        for frame in ["", "hello", "[]", "{}", r#"{"type":"ack"}"#, r#"{"type":"ack","data":{"seq":-1}}"#, r#"{"type":1}"#, &deep] {
            let (mut alice, _) = app.watch_extended("alice", &session, "").await;
            alice.send(Message::text(frame)).await;
            let (code, reason) = alice.closed().await;
            assert_eq!(code, 4400, "{frame:.40}");
            assert!(reason.starts_with("bad frame: ") && reason.is_ascii(), "{frame:.40}: {reason}");
        }
        let (mut alice, _) = app.watch_extended("alice", &session, "").await;
        alice.send(Message::binary(vec![1, 2, 3])).await;
        assert_eq!(alice.closed().await.0, 1003);
        app.until_no_session_is_watched().await;
    }

    async fn a_text_that_is_no_text_ends_the_socket_in_either_mode(app) {
        let session = app.open_session("alice").await;
        let mut client = RawClient::open_socket(&app.base, &session, &app.token_of("alice")).await;
        client.send(&client_frame(RawFrame::TEXT, b"\xff\xfe")).await;
        assert_eq!(client.read_close().await.0, 1007);
    }
}

on_every_store! {
    with impatience;

    async fn heartbeats_tell_how_far_the_socket_has_come(app) {
        let session = app.open_session("alice").await;
        let (mut alice, hello) = app.watch_extended("alice", &session, "").await;
        assert_eq!(hello["heartbeatMs"], 100);
        let beat = alice.next().await;
        assert_eq!((&beat["type"], &beat["data"]["seq"]), (&json!("heartbeat"), &json!(1)), "{beat}");
        assert!(beat["data"]["serverTime"].as_str().unwrap().ends_with('Z'));
        app.say("alice", &session, "hi").await;
        let mut frame = alice.next().await;
        while frame["type"] == "heartbeat" {
            frame = alice.next().await;
        }
        assert_eq!((&frame["type"], &frame["seq"]), (&json!("message"), &json!(2)));
        let beat = alice.next().await;
        assert_eq!((&beat["type"], &beat["data"]["seq"]), (&json!("heartbeat"), &json!(2)), "{beat}");
    }

    async fn a_client_that_only_sends_heartbeats_is_alive(app) {
        let session = app.open_session("alice").await;
        let mut client = RawClient::open_extended(&app.base, &session, &app.token_of("alice")).await;
        let mut beats = 0;
        // Its answers to so many pings would be missed for longer than the limit of silence.
        while PING_EVERY * beats <= SILENCE_LIMIT + PING_EVERY {
            let frame = client.read_frame().await;
            assert_ne!(frame.opcode, RawFrame::CLOSE, "{:?}", frame.close());
            if frame.opcode == RawFrame::PING {
                beats += 1;
                client.send(&client_frame(RawFrame::TEXT, br#"{"type":"heartbeat","data":{}}"#)).await;
            }
        }
    }
}
