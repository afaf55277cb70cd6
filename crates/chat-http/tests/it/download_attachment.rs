//! `GET` and `HEAD /api/chat/attachments/{attachmentId}`

mod conditions;
mod disposition;
mod ranges;
mod rights;

use reqwest::Method;
use serde_json::Value;

use crate::support::app::send;
use crate::support::{Answer, Form, TestApp};

/// Sends a file as alice and returns its path.
async fn stored(app: &TestApp, session: &str, name: &str, media_type: &str, bytes: &[u8]) -> String {
    let form = Form::new().file(0, name, media_type, bytes);
    let message = send(form.to(app, "alice", session)).await.expect(201);
    path_of(&message["attachments"][0])
}

fn path_of(attachment: &Value) -> String {
    format!("/api/chat/attachments/{}", attachment["id"].as_str().unwrap())
}

/// Asks with one more header.
async fn ask(app: &TestApp, who: &str, method: Method, path: &str, header: (&str, &str)) -> Answer {
    send(app.request(who, method, path).header(header.0, header.1)).await
}

/// Larger than any buffer on the way, and different everywhere.
fn many_bytes() -> Vec<u8> {
    (0_u32..100_000).flat_map(u32::to_le_bytes).collect()
}

on_every_store! {
    async fn the_bytes_are_those_that_were_sent(app) {
        let session = app.open_session("alice").await;
        for bytes in [&b"x"[..], b"hello\r\n--the-boundar\r\n", &many_bytes()] {
            let path = stored(app, &session, "a.bin", "application/octet-stream", bytes).await;
            let answer = app.get("alice", &path).await;
            answer.expect_status(200);
            assert_eq!(answer.header("content-length"), bytes.len().to_string());
            assert!(answer.bytes == bytes, "{} bytes instead of {}", answer.bytes.len(), bytes.len());
        }
    }

    async fn the_address_in_the_message_is_where_the_file_is(app) {
        let session = app.open_session("alice").await;
        let form = Form::new().file(0, "a.txt", "text/plain", b"hello");
        let message = send(form.to(app, "alice", &session)).await.expect(201);
        let url = message["attachments"][0]["url"].as_str().unwrap();
        let answer = app.get("alice", url.strip_prefix(&app.base).unwrap()).await;
        answer.expect_status(200);
        assert_eq!(answer.bytes, b"hello");
    }

    async fn the_headers_keep_a_browser_from_running_anything(app) {
        let session = app.open_session("alice").await;
        let path = stored(app, &session, "a.txt", "text/plain", b"hello").await;
        let answer = app.get("alice", &path).await;
        for (name, value) in [
            ("content-type", "text/plain; charset=utf-8"),
            ("content-disposition", "attachment; filename=\"a.txt\""),
            ("content-security-policy", "sandbox; default-src 'none'"),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "private, no-cache"),
            ("referrer-policy", "no-referrer"),
            ("accept-ranges", "bytes"),
        ] {
            assert_eq!(answer.header(name), value, "{name}");
        }
    }

    async fn head_answers_the_headers_of_get_without_a_body(app) {
        let session = app.open_session("alice").await;
        let path = stored(app, &session, "ä.bin", "application/octet-stream", &many_bytes()).await;
        for (name, value) in [("accept", "*/*"), ("range", "bytes=5-9"), ("range", "bytes=9999999-")] {
            let mut get = ask(app, "alice", Method::GET, &path, (name, value)).await;
            let mut head = ask(app, "alice", Method::HEAD, &path, (name, value)).await;
            assert_eq!(head.status, get.status);
            assert_eq!(head.bytes, b"");
            for answer in [&mut get, &mut head] {
                assert!(answer.headers.remove("x-request-id").is_some());
                answer.headers.remove("date");
            }
            assert_eq!(head.headers, get.headers, "{name}: {value}");
        }
    }
}
