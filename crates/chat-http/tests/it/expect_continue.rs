//! `Expect: 100-continue` (RFC 9110, 10.1.1): a client is asked for the body only when it is wanted.

use crate::support::app::send;
use crate::support::raw::RawClient;
use crate::support::{Form, TestApp};

const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

/// A `POST` of a message whose client waits to be asked for the body.
fn expecting(session: &str, authorization: &str, content_type: &str, length: usize) -> String {
    format!(
        "POST /api/chat/sessions/{session}/messages HTTP/1.1\r\nHost: test\r\n{authorization}\
         Content-Type: {content_type}\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
    )
}

fn authorization(app: &TestApp, who: &str) -> String {
    format!("Authorization: Bearer {}\r\n", app.token_of(who))
}

on_every_store! {
    async fn a_body_that_is_wanted_is_asked_for_once(app) {
        let session = app.open_session("alice").await;
        let form = Form::new().text("content", "hello").body();
        let json = br#"{"content":"hello"}"#.to_vec();
        let mut client = RawClient::connect(&app.base).await;
        for (content_type, body) in [("application/json".to_owned(), json), (Form::content_type(), form)] {
            let head = expecting(&session, &authorization(app, "alice"), &content_type, body.len());
            client.send(head.as_bytes()).await;
            assert_eq!(client.read_head().await, CONTINUE);
            client.send(&body).await;
            let (head, _) = client.read_response().await;
            assert!(head.starts_with("HTTP/1.1 201 "), "{head}");
        }
    }

    async fn a_body_is_asked_for_after_the_responses_to_earlier_requests(app) {
        let session = app.open_session("alice").await;
        let alice = authorization(app, "alice");
        // With a last part of one byte, which still waits when the next request begins.
        let form = Form::new().file(0, "large.bin", "application/octet-stream", &vec![b'x'; 4 * 1024 * 1024 + 1]);
        let message = send(form.to(app, "alice", &session)).await.expect(201);
        let url = message["attachments"][0]["url"].as_str().unwrap();
        let download = url.strip_prefix(&app.base).unwrap_or(url);
        let body = r#"{"content":"hello"}"#;
        let post = expecting(&session, &alice, "application/json", body.len());
        for (path, length) in [("/healthz", None), (download, Some(4 * 1024 * 1024 + 1))] {
            let mut client = RawClient::connect(&app.base).await;
            let get = format!("GET {path} HTTP/1.1\r\nHost: test\r\n{alice}\r\n");
            client.send(format!("{get}{post}").as_bytes()).await;
            let (head, first) = client.read_response().await;
            assert!(head.starts_with("HTTP/1.1 200 "), "{path}: {head}");
            assert!(!first.contains("HTTP/1.1"), "{path}: an interim response in the middle of another one");
            assert_eq!(length.unwrap_or(first.len()), first.len());
            assert_eq!(client.read_head().await, CONTINUE, "{path}");
            client.send(body.as_bytes()).await;
            let (head, _) = client.read_response().await;
            assert!(head.starts_with("HTTP/1.1 201 "), "{path}: {head}");
        }
    }

    async fn a_client_that_does_not_wait_is_served(app) {
        let session = app.open_session("alice").await;
        let body = r#"{"content":"hello"}"#;
        let head = expecting(&session, &authorization(app, "alice"), "application/json", body.len());
        let mut client = RawClient::connect(&app.base).await;
        client.send(format!("{head}{body}").as_bytes()).await;
        let mut answer = client.read_head().await;
        if answer == CONTINUE {
            answer = client.read_head().await;
        }
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    }

    async fn a_body_that_is_not_wanted_is_not_asked_for(app) {
        let session = app.open_session("alice").await;
        let form = Form::content_type();
        let [alice, mallory] = ["alice", "mallory"].map(|who| authorization(app, who));
        for (session, authorization, content_type, length, status) in [
            (session.as_str(), String::new(), "application/json", 20, 401),
            ("no-such-session", alice.clone(), form.as_str(), 20, 404),
            (&session, mallory, form.as_str(), 20, 403),
            (&session, alice.clone(), "text/plain", 20, 400),
            // Above the limit of a JSON body, and of a message with files.
            (&session, alice.clone(), "application/json", 262_145, 400),
            (&session, alice.clone(), form.as_str(), 60 * 1024 * 1024, 400),
            // The right comes before the length.
            (&session, String::new(), form.as_str(), 60 * 1024 * 1024, 401),
        ] {
            let head = expecting(session, &authorization, content_type, length);
            let mut client = RawClient::connect(&app.base).await;
            client.send(head.as_bytes()).await;
            let answer = client.read_head().await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{head}{answer}");
            assert!(answer.to_lowercase().contains("\r\nconnection: close\r\n"), "{head}{answer}");
        }
    }
}
