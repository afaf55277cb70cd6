//! `POST /api/chat/sessions/{sessionId}/typing`

use chat_testkit::fixtures;
use serde_json::json;

on_every_store! {
    async fn typing_is_sent_to_the_other_sockets(app) {
        let id = app.open_assigned("alice", "bob").await;
        let mut socket = app.watch("bob", &id, "").await;
        for is_typing in [true, false] {
            app.let_typing_wait_no_longer();
            let body = json!({ "isTyping": is_typing });
            let answer = app.post("alice", &format!("/api/chat/sessions/{id}/typing"), body).await;
            assert!(answer.bytes.is_empty());
            answer.expect(204);
            let frame = socket.next().await;
            let expected = json!({
                "type": "typing",
                "data": { "userId": "alice", "isTyping": is_typing, "timestamp": frame["data"]["timestamp"] },
            });
            assert_eq!(frame, expected);
            assert!(frame["data"]["timestamp"].as_str().unwrap().ends_with('Z'));
        }
    }

    async fn alternating_typing_is_shown_every_two_seconds_with_its_last_state(app) {
        let id = app.open_assigned("alice", "bob").await;
        let mut base = app.watch("bob", &id, "").await;
        let (mut extended, _) = app.watch_extended("bob", &id, "").await;
        let (mut alice, _) = app.watch_extended("alice", &id, "").await;
        let typing = format!("/api/chat/sessions/{id}/typing");
        // Fewer than the frames that a client may send at once.
        for n in 0..30 {
            app.post("alice", &typing, json!({ "isTyping": n % 2 == 0 })).await.expect(204);
            alice.say("typing", json!({ "isTyping": n % 2 == 0 })).await;
        }
        alice.say("typing", json!({ "isTyping": false })).await;
        alice.settle().await;
        app.let_typing_wait_no_longer();
        // What comes after it shows that nothing came between.
        app.say("bob", &id, "the end").await;
        for socket in [&mut base, &mut extended] {
            for is_typing in [true, false] {
                let frame = socket.next().await;
                assert_eq!((&frame["type"], &frame["data"]["isTyping"]), (&json!("typing"), &json!(is_typing)), "{frame}");
            }
            assert_eq!(socket.next().await["type"], "message");
        }
    }

    async fn a_message_ends_its_senders_typing_in_both_modes(app) {
        let id = app.open_assigned("alice", "bob").await;
        let mut base = app.watch("bob", &id, "").await;
        let (mut extended, _) = app.watch_extended("bob", &id, "").await;
        let mut own = app.watch("alice", &id, "").await;
        app.post("alice", &format!("/api/chat/sessions/{id}/typing"), json!({ "isTyping": true })).await.expect(204);
        app.say("alice", &id, "hello").await;
        app.say("alice", &id, "nothing was typed before this one").await;
        for socket in [&mut base, &mut extended] {
            assert_eq!(socket.next().await["data"]["isTyping"], true);
            assert_eq!(socket.next().await["data"]["content"], "hello");
            let end = socket.next().await;
            let expected = json!({
                "userId": "alice", "isTyping": false, "timestamp": end["data"]["timestamp"],
            });
            assert_eq!((&end["type"], &end["data"]), (&json!("typing"), &expected));
            assert_eq!(socket.next().await["type"], "message");
        }
        for _ in 0..2 {
            assert_eq!(own.next().await["type"], "message", "the typist gets no event of it");
        }
    }

    async fn typing_must_be_true_or_false(app) {
        let id = app.open_session("alice").await;
        let path = format!("/api/chat/sessions/{id}/typing");
        app.post("alice", &path, json!({})).await.expect_invalid("isTyping");
        for wrong in [json!(null), json!(1), json!("true"), json!([true])] {
            app.post("alice", &path, json!({ "isTyping": wrong })).await.expect_invalid("isTyping");
        }
    }

    async fn on_a_closed_session_it_is_accepted(app) {
        let id = app.open_assigned("alice", "bob").await;
        app.put("alice", &format!("/api/chat/sessions/{id}/close"), json!(null)).await.expect(200);
        for who in ["alice", "bob", "root"] {
            let body = json!({ "isTyping": true });
            app.post(who, &format!("/api/chat/sessions/{id}/typing"), body).await.expect(204);
        }
    }

    async fn onlookers_do_not_type(app) {
        let id = app.open_session("alice").await;
        for who in ["mallory", "bob"] {
            let answer = app.post(who, &format!("/api/chat/sessions/{id}/typing"), json!({ "isTyping": true })).await;
            answer.expect_error(403, "FORBIDDEN");
        }
        let path = format!("/api/chat/sessions/{}/typing", fixtures::session_id(404));
        app.post("root", &path, json!({ "isTyping": true })).await.expect_error(404, "SESSION_NOT_FOUND");
    }
}
