//! What is refused before the file is sent: `Expect: 100-continue` (RFC 9110, 10.1.1), and uploads at the same time.

use std::time::Duration;

use chat_domain::model::UploadQuota;
use chat_domain::service::Rules;
use chat_http::{HttpSettings, RateLimit, RateSettings, UploadSettings};
use serde_json::json;

use super::{upload, uploaded};
use crate::support::TestApp;
use crate::support::app::Options;
use crate::support::raw::RawClient;

const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";
/// How long a state of the server that must come may take to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// The head of an upload whose client waits to be asked for the body.
fn expecting(app: &TestApp, who: Option<&str>, session: &str, length: usize) -> String {
    let authorization = who.map(|who| format!("Authorization: Bearer {}\r\n", app.token_of(who))).unwrap_or_default();
    format!(
        "POST /api/chat/sessions/{session}/attachments HTTP/1.1\r\nHost: test\r\n{authorization}\
         Content-Type: text/plain\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
    )
}

async fn first_answer(app: &TestApp, who: Option<&str>, session: &str, length: usize) -> (RawClient, String) {
    let mut client = RawClient::connect(&app.base).await;
    client.send(expecting(app, who, session, length).as_bytes()).await;
    let answer = client.read_head().await;
    (client, answer)
}

fn assert_refused(answer: &str, status: u16) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {answer}");
    assert!(answer.to_lowercase().contains("\r\nconnection: close\r\n"), "{answer}");
}

fn one_slot() -> Options {
    let uploads = UploadSettings { per_person: 1, ..UploadSettings::default() };
    Options { http: HttpSettings { uploads, ..HttpSettings::default() }, ..Options::default() }
}

fn tight_limits() -> Options {
    let defaults = Options::default();
    let upload_quota = UploadQuota { files: 10, bytes: 150 };
    let rates = RateSettings { messages: RateLimit::parse("12/h").unwrap(), ..RateSettings::default() };
    Options {
        rules: Rules { max_file_bytes: 100, upload_quota, ..defaults.rules },
        http: HttpSettings { rates, ..HttpSettings::default() },
        ..defaults
    }
}

on_every_store! {
    with tight_limits;

    async fn a_file_that_is_not_wanted_is_not_asked_for(app) {
        let session = app.open_session("alice").await;
        let closed = app.open_session("alice").await;
        app.put("alice", &format!("/api/chat/sessions/{closed}/close"), json!(null)).await.expect(200);
        for (who, session, length, status) in [
            (None, session.as_str(), 20, 401),
            (Some("alice"), "no-such-session", 20, 404),
            (Some("mallory"), &session, 20, 403),
            (Some("mallory"), &closed, 101, 403),
            (Some("alice"), &session, 101, 400),
            (Some("alice"), &closed, 20, 409),
        ] {
            assert_refused(&first_answer(app, who, session, length).await.1, status);
        }
        uploaded(app, "alice", &session, &"x".repeat(100)).await;
        assert_refused(&first_answer(app, Some("alice"), &session, 51).await.1, 400);
        let (mut client, answer) = first_answer(app, Some("alice"), &session, 5).await;
        assert_eq!(answer, CONTINUE);
        client.send(b"hello").await;
        assert!(client.read_head().await.starts_with("HTTP/1.1 201 "));
        assert_eq!(app.stored_files().await, 2);
    }

    async fn uploads_count_as_messages(app) {
        let session = app.open_session("alice").await;
        for _ in 0..6 {
            app.say("alice", &session, "hello").await;
            uploaded(app, "alice", &session, "x").await;
        }
        assert_refused(&first_answer(app, Some("alice"), &session, 5).await.1, 429);
        upload(app, "alice", &session, "x").await.expect_error(429, "RATE_LIMITED");
        let messages = format!("/api/chat/sessions/{session}/messages");
        app.post("alice", &messages, json!({ "content": "hi" })).await.expect_error(429, "RATE_LIMITED");
    }

}

on_every_store! {
    with one_slot;

    async fn an_upload_takes_a_slot_until_it_ends(app) {
        let session = app.open_session("alice").await;
        let (client, answer) = first_answer(app, Some("alice"), &session, 5).await;
        assert_eq!(answer, CONTINUE);
        upload(app, "alice", &session, "hello").await.expect_error(429, "TOO_MANY_UPLOADS");
        drop(client);
        // The server notices only a moment later that a client is gone.
        let taken = async { while upload(app, "alice", &session, "hello").await.status != 201 {} };
        tokio::time::timeout(PATIENCE, taken).await.expect("an upload is taken");
    }
}
