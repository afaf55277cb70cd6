//! Messages that are sent with uploads.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::{send_with, upload, uploaded};
use crate::support::app::send;
use crate::support::{Answer, TestApp};

async fn send_body(app: &TestApp, session: &str, body: Value) -> Answer {
    app.post("alice", &format!("/api/chat/sessions/{session}/messages"), body).await
}

async fn send_keyed(app: &TestApp, session: &str, key: &str, body: &Value) -> Answer {
    let request = app.request("alice", Method::POST, &format!("/api/chat/sessions/{session}/messages"));
    send(request.header("Idempotency-Key", key).json(body)).await
}

on_every_store! {
    async fn a_message_has_its_uploads_in_the_order_of_its_ids(app) {
        let session = app.open_session("alice").await;
        let one = upload(app, "alice", &session, "one").await.expect(201);
        let two = upload(app, "alice", &session, "two").await.expect(201);
        let ids = json!([two["id"], one["id"]]);
        let sent = send_body(app, &session, json!({ "content": "", "attachmentIds": ids })).await.expect(201);
        assert_eq!(sent["attachments"], json!([two, one]));
        let page = app.get("alice", &format!("/api/chat/sessions/{session}/messages")).await.expect(200);
        assert_eq!(page["messages"], json!([sent]));
        assert_eq!(app.stored_files().await, 2);
    }

    async fn the_text_may_be_missing_only_beside_uploads(app) {
        let session = app.open_session("alice").await;
        let id = uploaded(app, "alice", &session, "one").await;
        for body in [json!({ "attachmentIds": [] }), json!({ "content": " ", "attachmentIds": [] })] {
            send_body(app, &session, body).await.expect_invalid("content");
        }
        let sent = send_body(app, &session, json!({ "attachmentIds": [id] })).await.expect(201);
        assert_eq!(sent["content"], "");
    }

    async fn ids_that_are_not_the_callers_unsent_files_of_the_session_are_refused_alike(app) {
        let session = app.open_assigned("alice", "bob").await;
        let other = app.open_session("alice").await;
        let own = uploaded(app, "alice", &session, "own").await;
        let bobs = uploaded(app, "bob", &session, "bob's").await;
        let elsewhere = uploaded(app, "alice", &other, "elsewhere").await;
        let sent = uploaded(app, "alice", &session, "sent").await;
        send_with(app, "alice", &session, &[&sent]).await.expect(201);
        let unknown = chat_testkit::fixtures::attachment_id(404).to_string();
        let mut refusals = Vec::new();
        for wrong in [bobs.as_str(), &elsewhere, &sent, &unknown, "not-an-id"] {
            let answer = send_with(app, "alice", &session, &[&own, wrong]).await;
            refusals.push(answer.expect_error(400, "VALIDATION_FAILED"));
        }
        for refusal in &refusals {
            assert_eq!(refusal["details"], refusals[0]["details"]);
            assert_eq!(refusal["details"][0]["field"], "attachmentIds[1]");
        }
        send_with(app, "alice", &session, &[&own, &own]).await.expect_invalid("attachmentIds[1]");
        send_with(app, "alice", &session, &[&own]).await.expect(201);
    }

    async fn a_list_of_ids_is_a_list_of_strings(app) {
        let session = app.open_session("alice").await;
        for (ids, field) in [
            (json!("id"), "attachmentIds"),
            (json!(null), "content"),
            (json!({}), "attachmentIds"),
            (json!([7]), "attachmentIds[0]"),
            (json!([null]), "attachmentIds[0]"),
            (json!(vec!["x"; 11]), "attachmentIds[0]"),
            (json!(vec![chat_testkit::fixtures::attachment_id(1).to_string(); 11]), "attachmentIds"),
        ] {
            send_body(app, &session, json!({ "content": " ", "attachmentIds": ids })).await.expect_invalid(field);
        }
        for field in ["attachments", "attachment", "attachmentIDs", "attachments[0]"] {
            send_body(app, &session, json!({ "content": "hi", (field): [] })).await.expect_invalid(field);
        }
    }

    async fn a_repeated_key_gets_the_first_message_although_its_uploads_are_sent(app) {
        let session = app.open_session("alice").await;
        let ids = [uploaded(app, "alice", &session, "same").await, uploaded(app, "alice", &session, "same").await];
        let body = json!({ "content": "see this", "attachmentIds": [ids[0]] });
        let first = send_keyed(app, &session, "k-1", &body).await.expect(201);
        let again = send_keyed(app, &session, "k-1", &body).await;
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(again.expect(201), first);
        let other = json!({ "content": "see this", "attachmentIds": [ids[1]] });
        send_keyed(app, &session, "k-1", &other).await.expect_error(409, "IDEMPOTENCY_KEY_REUSED");
        send_keyed(app, &session, "k-2", &body).await.expect_invalid("attachmentIds[0]");
    }

    async fn of_messages_at_the_same_moment_with_one_upload_one_is_sent(app) {
        let session = app.open_session("alice").await;
        for _ in 0..5 {
            let id = uploaded(app, "alice", &session, "once").await;
            let ids = [id.as_str()];
            let answers = join_all((0..6).map(|_| send_with(app, "alice", &session, &ids))).await;
            let sent = answers.iter().filter(|answer| answer.status == 201).count();
            assert_eq!(sent, 1);
            for answer in answers.into_iter().filter(|answer| answer.status != 201) {
                answer.expect_invalid("attachmentIds[0]");
            }
        }
    }
}
