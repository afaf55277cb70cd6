//! `GET /api/chat/sessions/{sessionId}/messages/{messageId}`

use chat_testkit::fixtures;
use serde_json::json;

use crate::support::app::send;
use crate::support::{Form, TestApp};

fn path(session: &str, message: &str) -> String {
    format!("/api/chat/sessions/{session}/messages/{message}")
}

/// The ids of an assigned session of alice and of a message in it.
async fn with_message(app: &TestApp) -> (String, String) {
    let id = app.open_assigned("alice", "bob").await;
    let message = app.say("alice", &id, "Where is it?").await["id"].as_str().unwrap().to_owned();
    (id, message)
}

on_every_store! {
    async fn a_message_is_as_in_its_page_and_at_the_location_of_its_answer(app) {
        let id = app.open_assigned("alice", "bob").await;
        let form = Form::new().text("content", "look").file(0, "a.txt", "text/plain", b"hello");
        for sent in [
            app.post("bob", &format!("/api/chat/sessions/{id}/messages"), json!({ "content": "hello" })).await,
            send(form.to(app, "alice", &id)).await,
        ] {
            let location = sent.header("location").strip_prefix(&app.base).unwrap().to_owned();
            let sent = sent.expect(201);
            assert_eq!(location, path(&id, sent["id"].as_str().unwrap()));
            assert_eq!(app.get("alice", &location).await.expect(200), sent);
        }
        let read = app.get("root", &format!("/api/chat/sessions/{id}/messages")).await.expect(200);
        assert_eq!((&read["messages"][0]["seq"], &read["messages"][1]["seq"]), (&json!(3), &json!(4)));
        for message in read["messages"].as_array().unwrap() {
            let alone = app.get("bob", &path(&id, message["id"].as_str().unwrap())).await.expect(200);
            assert_eq!(alone, *message);
        }
    }

    async fn a_message_has_its_status_of_now(app) {
        let (id, message) = with_message(app).await;
        assert_eq!(app.get("alice", &path(&id, &message)).await.expect(200)["status"], "sent");
        let read = json!({ "messageIds": [message] });
        app.put("bob", &format!("/api/chat/sessions/{id}/read"), read).await.expect(204);
        let found = app.get("alice", &path(&id, &message)).await.expect(200);
        assert_eq!((&found["status"], &found["read"], &found["seq"]), (&json!("read"), &json!(true), &json!(3)));
    }

    async fn an_id_of_no_message_of_the_session_is_not_found(app) {
        let (id, _) = with_message(app).await;
        let elsewhere = app.open_session("alice").await;
        let foreign = app.say("alice", &elsewhere, "other").await["id"].as_str().unwrap().to_owned();
        let unknown = fixtures::message_id(404).to_string();
        for wrong in [foreign.as_str(), &unknown, "1", "%00", "..%2Fmessages"] {
            app.get("alice", &path(&id, wrong)).await.expect_error(404, "MESSAGE_NOT_FOUND");
            app.get("mallory", &path(&id, wrong)).await.expect_error(403, "FORBIDDEN");
            let nowhere = path(&fixtures::session_id(404).to_string(), wrong);
            app.get("alice", &nowhere).await.expect_error(404, "SESSION_NOT_FOUND");
        }
    }

    async fn a_query_is_refused_after_everything_else(app) {
        let (id, message) = with_message(app).await;
        let asked = format!("{}?verbose=1", path(&id, &message));
        app.get("alice", &asked).await.expect_invalid("verbose");
        app.get("mallory", &asked).await.expect_error(403, "FORBIDDEN");
        let unknown = path(&id, &fixtures::message_id(404).to_string());
        app.get("alice", &format!("{unknown}?verbose=1")).await.expect_error(404, "MESSAGE_NOT_FOUND");
    }
}
