//! An uploaded file is taken back.

use chat_testkit::fixtures;
use futures_util::future::join;
use reqwest::Method;
use serde_json::json;

use crate::support::TestApp;
use crate::support::app::send;

async fn uploaded(app: &TestApp, who: &str, session: &str) -> String {
    let request = app.request(who, Method::POST, &format!("/api/chat/sessions/{session}/attachments"));
    let file = send(request.body("hello")).await.expect(201);
    file["id"].as_str().expect("an id").to_owned()
}

fn path(id: &str) -> String {
    format!("/api/chat/attachments/{id}")
}

on_every_store! {
    async fn a_removed_file_is_gone_with_its_bytes(app) {
        let session = app.open_session("alice").await;
        let id = uploaded(app, "alice", &session).await;
        app.delete("mallory", &path(&id)).await.expect_error(404, "ATTACHMENT_NOT_FOUND");
        app.delete("root", &path(&id)).await.expect_error(404, "ATTACHMENT_NOT_FOUND");
        app.delete("alice", &format!("{}?x=1", path(&id))).await.expect_invalid("x");
        app.delete("alice", &path(&id)).await.expect_status(204);
        assert_eq!(app.stored_files().await, 0);
        app.delete("alice", &path(&id)).await.expect_error(404, "ATTACHMENT_NOT_FOUND");
        app.get("alice", &path(&id)).await.expect_error(404, "ATTACHMENT_NOT_FOUND");
        let body = json!({ "attachmentIds": [id] });
        app.post("alice", &format!("/api/chat/sessions/{session}/messages"), body)
            .await
            .expect_invalid("attachmentIds[0]");
    }

    async fn a_sent_file_stays(app) {
        let session = app.open_assigned("alice", "bob").await;
        let id = uploaded(app, "alice", &session).await;
        let body = json!({ "attachmentIds": [id] });
        app.post("alice", &format!("/api/chat/sessions/{session}/messages"), body).await.expect(201);
        for who in ["alice", "bob", "root"] {
            app.delete(who, &path(&id)).await.expect_error(409, "ALREADY_SENT");
        }
        app.delete("mallory", &path(&id)).await.expect_error(403, "FORBIDDEN");
        assert_eq!(app.get("bob", &path(&id)).await.status, 200);
    }

    async fn the_uploader_takes_a_file_back_whatever_became_of_the_session(app) {
        let session = app.open_assigned("alice", "bob").await;
        let [bobs, alices] = [uploaded(app, "bob", &session).await, uploaded(app, "alice", &session).await];
        app.put("root", "/api/chat/agents/carol", json!({})).await.expect(201);
        app.put("root", &format!("/api/chat/sessions/{session}/transfer"), json!({ "agentId": "carol" })).await.expect(200);
        app.delete("bob", &path(&bobs)).await.expect_status(204);
        app.put("alice", &format!("/api/chat/sessions/{session}/close"), json!(null)).await.expect(200);
        app.delete("alice", &path(&alices)).await.expect_status(204);
        assert_eq!(app.stored_files().await, 0);
    }

    async fn of_a_removal_and_a_message_at_the_same_moment_one_wins(app) {
        let session = app.open_session("alice").await;
        let messages = format!("/api/chat/sessions/{session}/messages");
        let mut sent_files = 0;
        for _ in 0..8 {
            let id = uploaded(app, "alice", &session).await;
            let path = path(&id);
            let sending = app.post("alice", &messages, json!({ "attachmentIds": [id] }));
            let (sent, removed) = join(sending, app.delete("alice", &path)).await;
            if sent.status == 201 {
                removed.expect_error(409, "ALREADY_SENT");
                sent_files += 1;
            } else {
                sent.expect_invalid("attachmentIds[0]");
                removed.expect_status(204);
            }
        }
        assert_eq!(app.stored_files().await, sent_files);
    }

    async fn an_id_that_is_none_is_not_found(app) {
        let unknown = fixtures::attachment_id(404).to_string();
        for id in [unknown.as_str(), "not-an-id"] {
            app.delete("alice", &path(id)).await.expect_error(404, "ATTACHMENT_NOT_FOUND");
        }
    }
}
