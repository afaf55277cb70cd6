//! `POST /api/chat/sessions/{sessionId}/messages` as `multipart/form-data`

mod attachments;
mod browsers;
mod full_storage;
mod kinds;
mod limits;
mod malformed;
mod names;
mod slots;

use chat_testkit::fixtures;
use reqwest::Method;
use serde_json::json;

use crate::support::Form;
use crate::support::app::send;
use crate::support::raw::RawClient;

fn small() -> Form {
    Form::new().text("content", "see this").file(0, "a.txt", "text/plain", b"hello")
}

on_every_store! {
    async fn a_message_with_a_file_has_the_file_in_its_response(app) {
        let session = app.open_session("alice").await;
        let answer = send(small().to(app, "alice", &session)).await;
        let location = answer.header("location").to_owned();
        let message = answer.expect(201);
        let file = &message["attachments"][0];
        assert_eq!(
            message,
            json!({
                "id": message["id"], "seq": 2, "content": "see this", "sender": "user", "timestamp": message["timestamp"],
                "author": { "id": "alice" }, "read": false, "status": "sent",
                "attachments": [{
                    "id": file["id"], "type": "text/plain", "name": "a.txt", "size": 5,
                    "url": format!("{}/api/chat/attachments/{}", app.base, file["id"].as_str().unwrap()),
                }],
            })
        );
        let path = format!("/api/chat/sessions/{session}/messages");
        assert_eq!(location, format!("{}{path}/{}", app.base, message["id"].as_str().unwrap()));
        assert_eq!(app.get("alice", &path).await.expect(200)["messages"][0], message);
        assert_eq!(app.stored_files().await, 1);
    }

    async fn a_repeated_key_gets_the_first_message_and_stores_no_file_twice(app) {
        let session = app.open_session("alice").await;
        let two = || small().file(1, "b.txt", "text/plain", b"world");
        let request = |form: Form| form.to(app, "alice", &session).header("Idempotency-Key", "k-1");
        let first = send(request(two())).await;
        assert_eq!(first.header("idempotency-replayed"), "");
        let first = first.expect(201);
        let again = send(request(two())).await;
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(again.expect(201), first);
        // The order of the parts is not the order of the files.
        let shuffled = Form::new().file(7, "b.txt", "text/plain", b"world").file(3, "a.txt", "text/plain", b"hello");
        assert_eq!(send(request(shuffled.text("content", "see this"))).await.expect(201), first);
        assert_eq!(app.stored_files().await, 2);
        let page = app.get("alice", &format!("/api/chat/sessions/{session}/messages")).await.expect(200);
        assert_eq!(page["messages"], json!([first]));
    }

    async fn a_repeated_key_for_another_meaning_is_a_conflict(app) {
        let session = app.open_session("alice").await;
        let request = |form: Form| form.to(app, "alice", &session).header("Idempotency-Key", "k-1");
        send(request(small())).await.expect(201);
        let text = |content: &str| Form::new().text("content", content);
        for (what, form) in [
            ("bytes", text("see this").file(0, "a.txt", "text/plain", b"hellO")),
            ("name", text("see this").file(0, "b.txt", "text/plain", b"hello")),
            ("content", text("see that").file(0, "a.txt", "text/plain", b"hello")),
            ("one more file", small().file(1, "a.txt", "text/plain", b"hello")),
            ("no file", text("see this")),
        ] {
            let answer = send(request(form)).await;
            assert_eq!(answer.status, 409, "another {what}");
            answer.expect_error(409, "IDEMPOTENCY_KEY_REUSED");
        }
        assert_eq!(app.stored_files().await, 1);
    }

    async fn duplicates_at_the_same_moment_become_one_message(app) {
        let session = app.open_session("alice").await;
        let request = || send(small().to(app, "alice", &session).header("Idempotency-Key", "k-1"));
        let answers = futures_util::future::join_all((0..8).map(|_| request())).await;
        let replays = answers.iter().filter(|answer| answer.header("idempotency-replayed") == "true").count();
        assert_eq!(replays, 7);
        let messages: Vec<_> = answers.into_iter().map(|answer| answer.expect(201)).collect();
        assert!(messages.iter().all(|message| *message == messages[0]));
        assert_eq!(app.stored_files().await, 1);
    }

    async fn a_forbidden_upload_is_refused_before_it_is_read(app) {
        let session = app.open_assigned("alice", "bob").await;
        let missing = fixtures::session_id(9).to_string();
        for (who, session, status) in
            [("mallory", &session, 403), ("carol", &session, 403), ("mallory", &missing, 404), ("anonymous", &session, 401)]
        {
            let token = if who == "anonymous" { "x.y.z".to_owned() } else { app.token_of(who) };
            let mut client = RawClient::connect(&app.base).await;
            // The body is announced and never comes: only an answer that does not wait for it arrives.
            let head = format!(
                "POST /api/chat/sessions/{session}/messages HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token}\r\n\
                 Content-Type: {}\r\nContent-Length: 1000000\r\n\r\n",
                Form::content_type()
            );
            client.send(head.as_bytes()).await;
            let answer = client.read_head().await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{who}: {answer}");
        }
        assert_eq!(app.stored_files().await, 0);
    }

    async fn a_malformed_form_is_reported_only_to_those_who_may_write(app) {
        let session = app.open_session("alice").await;
        let broken = || Form::new().text("unknown", "field");
        send(broken().to(app, "mallory", &session)).await.expect_error(403, "FORBIDDEN");
        let missing = fixtures::session_id(9).to_string();
        send(broken().to(app, "alice", &missing)).await.expect_error(404, "SESSION_NOT_FOUND");
        send(broken().to(app, "alice", "not-an-id")).await.expect_error(404, "SESSION_NOT_FOUND");
    }

    async fn a_closed_session_takes_no_file_and_keeps_none(app) {
        let session = app.open_session("alice").await;
        app.put("alice", &format!("/api/chat/sessions/{session}/close"), json!(null)).await.expect(200);
        send(small().to(app, "alice", &session)).await.expect_error(409, "SESSION_CLOSED");
        assert_eq!(app.stored_files().await, 0);
    }

    async fn a_wrong_key_is_bad_input_and_keeps_no_file(app) {
        let session = app.open_session("alice").await;
        let request = small().to(app, "alice", &session).header("Idempotency-Key", "with space");
        send(request).await.expect_invalid("Idempotency-Key");
        assert_eq!(app.stored_files().await, 0);
    }

    async fn the_connection_is_still_good_after_an_upload(app) {
        let session = app.open_session("alice").await;
        let body = small().body();
        let upload = format!(
            "POST /api/chat/sessions/{session}/messages HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {}\r\n\
             Content-Type: {}\r\nContent-Length: {}\r\n\r\n",
            app.token_of("alice"), Form::content_type(), body.len()
        );
        let mut client = RawClient::connect(&app.base).await;
        client.send(&[upload.as_bytes(), &body].concat()).await;
        assert!(client.read_head().await.starts_with("HTTP/1.1 201"));
        client.send(b"GET /healthz HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").await;
        assert!(client.read_to_end().await.contains("HTTP/1.1 200"));
    }

    async fn files_sent_by_another_method_or_without_a_form_are_refused(app) {
        let session = app.open_session("alice").await;
        let path = format!("/api/chat/sessions/{session}/messages");
        let plain = |kind: &str| app.request("alice", Method::POST, &path).header("content-type", kind).body(small().body());
        for kind in ["multipart/mixed; boundary=the-boundary", "application/octet-stream", "text/plain"] {
            send(plain(kind)).await.expect_invalid("Content-Type");
        }
        send(app.request("alice", Method::POST, &path).body(small().body())).await.expect_invalid("Content-Type");
        assert_eq!(app.stored_files().await, 0);
    }
}
