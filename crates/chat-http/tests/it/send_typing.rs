//! `POST /api/chat/sessions/{sessionId}/typing`

use chat_testkit::fixtures;
use serde_json::json;

on_every_store! {
    async fn the_others_who_watch_are_told(app) {
        let id = app.open_assigned("alice", "bob").await;
        let mut socket = app.watch("bob", &id, "").await;
        for is_typing in [true, false] {
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
