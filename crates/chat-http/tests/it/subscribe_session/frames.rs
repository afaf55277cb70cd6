//! What the frames say, and to whom they go.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Form, TestApp, plain};

async fn type_in(app: &TestApp, who: &str, session: &str, is_typing: bool) {
    let body = json!({ "isTyping": is_typing });
    app.post(who, &format!("/api/chat/sessions/{session}/typing"), body).await.expect(204);
}

async fn close(app: &TestApp, who: &str, session: &str) -> Value {
    app.put(who, &format!("/api/chat/sessions/{session}/close"), json!(null)).await.expect(200)
}

on_every_store! {
    async fn a_message_frame_holds_exactly_the_message_of_the_response(app) {
        let session = app.open_assigned("alice", "bob").await;
        let mut socket = app.watch("alice", &session, "").await;
        let sent = app.say("bob", &session, "How can I help?").await;
        let frame = socket.next().await;
        assert_eq!(
            frame,
            json!({
                "type": "message",
                "data": {
                    "id": sent["id"], "content": "How can I help?", "sender": "support",
                    "timestamp": sent["timestamp"], "read": false, "status": "sent",
                },
            })
        );
        assert_eq!(frame["data"], plain(&sent));
    }

    async fn a_message_frame_holds_the_files_with_the_address_that_the_watcher_uses(app) {
        let session = app.open_session("alice").await;
        let mut socket = app.watch("alice", &session, "").await;
        let form = Form::new().text("content", "look").file(0, "a.txt", "text/plain", b"hello");
        let sent = crate::support::app::send(form.to(app, "alice", &session)).await.expect(201);
        let frame = socket.next().await;
        assert_eq!(frame, json!({ "type": "message", "data": plain(&sent) }));
        let url = frame["data"]["attachments"][0]["url"].as_str().unwrap();
        assert!(url.starts_with(&format!("{}/api/chat/attachments/", app.base)), "{url}");
    }

    async fn a_session_update_frame_holds_the_session_and_nothing_else(app) {
        let session = app.open_session("alice").await;
        let mut socket = app.watch("alice", &session, "").await;
        let path = format!("/api/chat/sessions/{session}/assign");
        let assigned = app.put("bob", &path, json!({ "agentId": "bob" })).await.expect(200);
        let frame = socket.next().await;
        assert_eq!(
            frame,
            json!({
                "type": "session_update",
                "data": {
                    "id": session, "userId": "alice", "agentId": "bob", "status": "active",
                    "startedAt": assigned["startedAt"], "endedAt": null, "priority": "medium", "tags": [],
                },
            })
        );
        let closed = close(app, "alice", &session).await;
        assert_eq!(socket.next().await, json!({ "type": "session_update", "data": plain(&closed) }));
    }

    async fn a_typing_frame_has_the_user_the_state_and_the_time(app) {
        let session = app.open_assigned("alice", "bob").await;
        let mut socket = app.watch("bob", &session, "").await;
        for is_typing in [true, false] {
            app.let_typing_wait_no_longer();
            type_in(app, "alice", &session, is_typing).await;
            let frame = socket.next().await;
            let timestamp = frame["data"]["timestamp"].as_str().unwrap();
            assert!(timestamp.ends_with('Z') && timestamp.len() == 24, "{timestamp}");
            assert_eq!(
                frame,
                json!({
                    "type": "typing",
                    "data": { "userId": "alice", "isTyping": is_typing, "timestamp": timestamp },
                })
            );
        }
    }

    async fn both_people_see_both_directions(app) {
        let session = app.open_assigned("alice", "bob").await;
        let mut alice = app.watch("alice", &session, "").await;
        let mut bob = app.watch("bob", &session, "").await;
        for (who, sender) in [("alice", "user"), ("bob", "support"), ("alice", "user")] {
            let sent = app.say(who, &session, who).await;
            assert_eq!(sent["sender"], sender);
            let frame = json!({ "type": "message", "data": plain(&sent) });
            assert_eq!(alice.next().await, frame);
            assert_eq!(bob.next().await, frame);
        }
    }

    async fn the_senders_own_sockets_get_their_message_too(app) {
        let session = app.open_session("alice").await;
        let mut phone = app.watch("alice", &session, "").await;
        let mut laptop = app.watch("alice", &session, "").await;
        let sent = app.say("alice", &session, "from my phone").await;
        assert_eq!(phone.next().await["data"], plain(&sent));
        assert_eq!(laptop.next().await["data"], plain(&sent));
    }

    async fn typing_reaches_all_but_the_typist(app) {
        let session = app.open_assigned("alice", "bob").await;
        let mut alice = app.watch("alice", &session, "").await;
        let mut alices_laptop = app.watch("alice", &session, "").await;
        let mut bob = app.watch("bob", &session, "").await;
        let mut root = app.watch("root", &session, "").await;
        type_in(app, "alice", &session, true).await;
        app.say("alice", &session, "done").await;
        for socket in [&mut bob, &mut root] {
            assert_eq!(socket.next().await["type"], "typing");
            assert_eq!(socket.next().await["type"], "message");
        }
        // A typing frame would have come before the message.
        for socket in [&mut alice, &mut alices_laptop] {
            assert_eq!(socket.next().await["type"], "message");
        }
    }

    async fn typing_on_a_closed_session_is_not_shown(app) {
        let session = app.open_assigned("alice", "bob").await;
        let mut bob = app.watch("bob", &session, "").await;
        close(app, "alice", &session).await;
        type_in(app, "alice", &session, true).await;
        assert_eq!(bob.next().await["type"], "session_update");
        // The typing event was published, if at all, before it was answered, and so before this.
        app.hub.shutdown();
        assert_eq!(bob.closed().await.0, 1001);
    }

    async fn no_event_of_another_session_arrives(app) {
        let mine = app.open_session("alice").await;
        let other = app.open_assigned("alice", "bob").await;
        let foreign = app.open_session("mallory").await;
        let mut socket = app.watch("alice", &mine, "").await;
        app.say("alice", &other, "other").await;
        app.say("bob", &other, "other").await;
        type_in(app, "bob", &other, true).await;
        close(app, "alice", &other).await;
        app.say("mallory", &foreign, "foreign").await;
        let sent = app.say("alice", &mine, "mine").await;
        assert_eq!(socket.next().await, json!({ "type": "message", "data": plain(&sent) }));
    }

    async fn receipts_are_no_frames(app) {
        let session = app.open_assigned("alice", "bob").await;
        let mut alice = app.watch("alice", &session, "").await;
        let first = app.say("alice", &session, "one").await;
        let path = format!("/api/chat/sessions/{session}/read");
        app.put("bob", &path, json!({ "messageIds": [first["id"]] })).await.expect(204);
        app.say("alice", &session, "two").await;
        assert_eq!(alice.next().await["data"]["content"], "one");
        assert_eq!(alice.next().await["data"]["content"], "two");
        // Neither live nor replayed.
        let mut again = app.watch("alice", &session, "?since=0").await;
        let mut kinds = Vec::new();
        for _ in 0..4 {
            kinds.push(again.next().await["type"].clone());
        }
        assert_eq!(kinds, ["session_update", "session_update", "message", "message"]);
    }

    async fn any_text_arrives_as_it_was_sent(app) {
        let session = app.open_session("alice").await;
        let mut socket = app.watch("alice", &session, "").await;
        for content in ["\u{ffff}", "\u{202e}abc\u{2066}", "e\u{301}\u{1f469}\u{200d}\u{1f680}", "<script>\"'\\</script>", "'; DROP TABLE"] {
            app.say("alice", &session, content).await;
            assert_eq!(socket.next().await["data"]["content"], content);
        }
    }

    async fn data_frames_of_a_base_client_are_ignored(app) {
        let session = app.open_session("alice").await;
        let mut socket = app.watch("alice", &session, "").await;
        let forged = json!({ "type": "message", "data": { "content": "forged" } }).to_string();
        socket.send(Message::text(forged)).await;
        socket.send(Message::text("not even JSON")).await;
        socket.send(Message::binary(vec![0, 159, 146, 150])).await;
        socket.settle().await;
        let sent = app.say("alice", &session, "real").await;
        assert_eq!(socket.next().await["data"], plain(&sent));
        let page = app.get("alice", &format!("/api/chat/sessions/{session}/messages")).await.expect(200);
        assert_eq!(page["totalCount"], 1);
    }
}
