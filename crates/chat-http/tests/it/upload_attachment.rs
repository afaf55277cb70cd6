//! A file is uploaded first and sent later.

mod early;
mod quota;
mod sending;

use chat_testkit::fixtures;
use reqwest::Method;
use reqwest::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use serde_json::{Value, json};

use crate::support::app::send;
use crate::support::{Answer, Form, TestApp};

/// Uploads text as the body itself.
async fn upload(app: &TestApp, who: &str, session: &str, bytes: &str) -> Answer {
    let request = app.request(who, Method::POST, &format!("/api/chat/sessions/{session}/attachments"));
    let request = request.header(CONTENT_TYPE, "text/plain");
    let request = request.header(CONTENT_DISPOSITION, "attachment; filename=\"a.txt\"");
    send(request.body(bytes.to_owned())).await
}

/// Uploads text and returns the id of the file.
async fn uploaded(app: &TestApp, who: &str, session: &str, bytes: &str) -> String {
    let file = upload(app, who, session, bytes).await.expect(201);
    file["id"].as_str().expect("an id").to_owned()
}

/// Uploads a form.
async fn upload_form(app: &TestApp, who: &str, session: &str, form: Form) -> Answer {
    let request = app.request(who, Method::POST, &format!("/api/chat/sessions/{session}/attachments"));
    send(request.header(CONTENT_TYPE, Form::content_type()).body(form.body())).await
}

/// Sends a message with these uploads.
async fn send_with(app: &TestApp, who: &str, session: &str, ids: &[&str]) -> Answer {
    let body = json!({ "content": "see this", "attachmentIds": ids });
    app.post(who, &format!("/api/chat/sessions/{session}/messages"), body).await
}

fn path_of(app: &TestApp, url: &Value) -> String {
    let url = url.as_str().expect("a url");
    url.strip_prefix(&app.base).unwrap_or(url).to_owned()
}

on_every_store! {
    async fn a_body_and_a_form_become_the_same_file(app) {
        let session = app.open_session("alice").await;
        let answer = upload(app, "alice", &session, "hello").await;
        let location = answer.header("location").to_owned();
        let body = answer.expect(201);
        assert_eq!(json!(location), body["url"]);
        let form = Form::new().file_as("file", "a.txt", "text/plain", b"hello");
        let form = upload_form(app, "alice", &session, form).await.expect(201);
        for file in [&body, &form] {
            assert_eq!(file["name"], "a.txt");
            assert_eq!(file["type"], "text/plain");
            assert_eq!(file["size"], 5);
            let download = app.get("alice", &path_of(app, &file["url"])).await;
            assert_eq!(download.status, 200);
        }
        assert_ne!(body["id"], form["id"]);
        assert_eq!(app.stored_files().await, 2);
    }

    async fn a_body_without_a_name_or_type_is_a_file_too(app) {
        let session = app.open_session("alice").await;
        let path = format!("/api/chat/sessions/{session}/attachments");
        let file = send(app.request("alice", Method::POST, &path).body(vec![0_u8, 159, 146, 150])).await.expect(201);
        assert_eq!((&file["name"], &file["type"]), (&json!("file"), &json!("application/octet-stream")));
        let json = app.post("alice", &path, json!({ "content": "no message" })).await.expect(201);
        assert_eq!(json["type"], "application/json");
    }

    async fn an_unsent_file_is_there_for_its_uploader_alone(app) {
        let session = app.open_assigned("alice", "bob").await;
        let file = upload(app, "bob", &session, "for later").await.expect(201);
        let path = path_of(app, &file["url"]);
        assert_eq!(app.get("bob", &path).await.status, 200);
        for who in ["alice", "carol", "mallory", "root"] {
            app.get(who, &path).await.expect_error(404, "ATTACHMENT_NOT_FOUND");
        }
        app.put("root", &format!("/api/chat/sessions/{session}/transfer"), json!({ "agentId": null })).await.expect(200);
        assert_eq!(app.get("bob", &path).await.status, 200, "an agent sees a session that waits");
        app.put("root", &format!("/api/chat/sessions/{session}/transfer"), json!({ "agentId": "carol" })).await.expect(200);
        app.get("bob", &path).await.expect_error(403, "FORBIDDEN");
        send_with(app, "bob", &session, &[file["id"].as_str().unwrap()]).await.expect_error(403, "FORBIDDEN");
    }

    async fn an_upload_is_seen_in_no_session_before_it_is_sent(app) {
        let session = app.open_session("alice").await;
        let before = app.get("alice", &format!("/api/chat/sessions/{session}")).await.expect(200);
        let mut socket = app.watch("alice", &session, "").await;
        let id = uploaded(app, "alice", &session, "hello").await;
        assert_eq!(app.get("alice", &format!("/api/chat/sessions/{session}")).await.expect(200), before);
        let message = send_with(app, "alice", &session, &[&id]).await.expect(201);
        let frame = socket.next().await;
        assert_eq!(frame["data"]["attachments"], message["attachments"], "the first frame is the message: {frame}");
    }

    async fn the_fault_of_a_file_is_named_and_nothing_stays(app) {
        let session = app.open_session("alice").await;
        upload(app, "alice", &session, "").await.expect_invalid("body");
        let file = |form: Form| form.file_as("file", "a.txt", "text/plain", b"hello");
        for (form, field) in [
            (Form::new(), "file"),
            (Form::new().file_as("file", "a.txt", "text/plain", b""), "file"),
            (file(file(Form::new())), "file"),
            (Form::new().text("content", "hello"), "body"),
            (file(Form::new()).text("content", "hello"), "body"),
            (Form::new().file_as("attachments[0]", "a.txt", "text/plain", b"hello"), "body"),
        ] {
            upload_form(app, "alice", &session, form).await.expect_invalid(field);
        }
        assert_eq!(app.stored_files().await, 0);
    }

    async fn an_upload_of_a_form_that_breaks_off_is_refused(app) {
        let session = app.open_session("alice").await;
        let mut body = Form::new().file_as("file", "a.txt", "text/plain", b"hello").body();
        body.truncate(body.len() - 8);
        let request = app.request("alice", Method::POST, &format!("/api/chat/sessions/{session}/attachments"));
        let request = request.header(CONTENT_TYPE, Form::content_type()).body(body);
        send(request).await.expect_invalid("body");
        assert_eq!(app.stored_files().await, 0);
    }

    async fn an_unknown_session_and_a_missing_right_come_first(app) {
        let session = app.open_session("alice").await;
        let missing = fixtures::session_id(9).to_string();
        upload(app, "alice", &missing, "").await.expect_error(404, "SESSION_NOT_FOUND");
        upload(app, "alice", "not-an-id", "").await.expect_error(404, "SESSION_NOT_FOUND");
        upload(app, "mallory", &session, "").await.expect_error(403, "FORBIDDEN");
        app.put("alice", &format!("/api/chat/sessions/{session}/close"), json!(null)).await.expect(200);
        upload(app, "alice", &session, "hello").await.expect_error(409, "SESSION_CLOSED");
        let unknown = format!("/api/chat/sessions/{session}/attachments?x=1");
        send(app.request("alice", Method::POST, &unknown).body("hello")).await.expect_invalid("x");
        assert_eq!(app.stored_files().await, 0);
    }
}
