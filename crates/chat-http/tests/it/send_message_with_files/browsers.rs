//! Forms as browsers write them: line breaks of two characters, and empty fields for files.

use serde_json::json;

use crate::support::app::send;
use crate::support::{Form, TestApp};

/// What a browser sends for `<input type="file">` when no file was chosen.
const NO_FILE: &str = "filename=\"\"\r\nContent-Type: application/octet-stream\r\n";

fn unfilled(form: Form, field: &str) -> Form {
    form.part(format!("Content-Disposition: form-data; name=\"{field}\"; {NO_FILE}"), b"")
}

async fn refused(app: &TestApp, session: &str, form: Form, field: &str) {
    send(form.to(app, "alice", session)).await.expect_invalid(field);
    assert_eq!(app.stored_files().await, 0);
}

on_every_store! {
    async fn line_breaks_of_a_forms_text_are_those_of_json(app) {
        let session = app.open_session("alice").await;
        let file = || Form::new().file(0, "a.txt", "text/plain", b"x");
        for (sent, stored) in
            [("a\r\nb", "a\nb"), ("a\rb", "a\nb"), ("a\n\r\n\r\r\nb\r", "a\n\n\n\nb\n"), ("a\nb", "a\nb")]
        {
            let message = send(file().text("content", sent).to(app, "alice", &session)).await.expect(201);
            assert_eq!(message["content"], stored, "{sent:?}");
        }
        // A line break counts as one character.
        let long = format!("{}\r\n{}", "x".repeat(9_998), "y");
        let message = send(file().text("content", &long).to(app, "alice", &session)).await.expect(201);
        assert_eq!(message["content"].as_str().unwrap().len(), 10_000);
        let breaks = "\r\n".repeat(10_000);
        let message = send(file().text("content", &breaks).to(app, "alice", &session)).await.expect(201);
        assert_eq!(message["content"], "\n".repeat(10_000));
        let too_long = format!("{long}\r\n");
        send(file().text("content", &too_long).to(app, "alice", &session)).await.expect_invalid("content");
        // The text of JSON is stored byte for byte.
        let path = format!("/api/chat/sessions/{session}/messages");
        let message = app.post("alice", &path, json!({ "content": "a\r\nb" })).await.expect(201);
        assert_eq!(message["content"], "a\r\nb");
    }

    async fn a_form_and_json_of_one_meaning_are_one_request(app) {
        let session = app.open_session("alice").await;
        let path = format!("/api/chat/sessions/{session}/messages");
        let as_json = app.request("alice", reqwest::Method::POST, &path).header("Idempotency-Key", "k-1");
        let first = send(as_json.json(&json!({ "content": "two\nlines" }))).await.expect(201);
        let form = unfilled(Form::new().text("content", "two\r\nlines"), "attachments[0]");
        let again = send(form.to(app, "alice", &session).header("Idempotency-Key", "k-1")).await;
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(again.expect(201), first);
    }

    async fn an_empty_field_for_a_file_is_no_file(app) {
        let session = app.open_session("alice").await;
        let text = || Form::new().text("content", "hello");
        for form in [
            unfilled(text(), "attachments[0]"),
            unfilled(unfilled(text(), "attachments"), "attachments"),
            unfilled(unfilled(Form::new(), "attachments[0]"), "attachments[0]").text("content", "hello"),
            text().part("Content-Disposition: form-data; name=\"attachments[]\"; filename=\"\"\r\n", b""),
        ] {
            let message = send(form.to(app, "alice", &session)).await.expect(201);
            assert!(message.get("attachments").is_none(), "{message}");
        }
        assert_eq!(app.stored_files().await, 0);
        // Beside a field that has a file.
        let form = unfilled(unfilled(Form::new(), "attachments[0]"), "attachments").file(0, "a.txt", "text/plain", b"x");
        let message = send(unfilled(form, "attachments[1]").to(app, "alice", &session)).await.expect(201);
        assert_eq!(message["attachments"].as_array().unwrap().len(), 1);
    }

    async fn a_form_with_neither_text_nor_file_is_blank(app) {
        let session = app.open_session("alice").await;
        refused(app, &session, unfilled(Form::new(), "attachments[0]"), "content").await;
        refused(app, &session, unfilled(Form::new().text("content", " \r\n"), "attachments"), "content").await;
        // A name without bytes is a file that is empty; bytes without a name are a file.
        refused(app, &session, Form::new().file(0, "a.txt", "text/plain", b"").text("content", "x"), "attachments[0]").await;
        let many = (0..101).fold(Form::new().text("content", "x"), |form, _| unfilled(form, "attachments"));
        refused(app, &session, many, "attachments").await;
        let nameless = Form::new().file(0, "", "text/plain", b"x");
        let message = send(nameless.to(app, "alice", &session)).await.expect(201);
        assert_eq!(message["attachments"][0]["name"], "file");
    }
}
