//! `POST /api/chat/download-ticket`, and what a ticket authorises

use std::time::Duration;

use chat_domain::model::Role;
use chat_domain::ports::Clock;
use chat_identity::{TokenClaims, sign_hs256};
use chat_testkit::fixtures;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{SECRET, send, token};
use crate::support::{Answer, Form, TestApp};

const PATH: &str = "/api/chat/download-ticket";
const BYTES: &[u8] = b"hello, this is a file";

/// Sends a file as alice and returns its path.
async fn stored(app: &TestApp, session: &str) -> String {
    let form = Form::new().file(0, "a.txt", "text/plain", BYTES);
    let message = send(form.to(app, "alice", session)).await.expect(201);
    format!("/api/chat/attachments/{}", message["attachments"][0]["id"].as_str().unwrap())
}

/// A ticket of `who`.
async fn ticket(app: &TestApp, who: &str) -> String {
    text_of(&app.post(who, PATH, json!(null)).await.expect(201))
}

fn text_of(body: &Value) -> String {
    body["ticket"].as_str().unwrap().to_owned()
}

/// Downloads without a token.
async fn download(app: &TestApp, path: &str, ticket: &str) -> Answer {
    send(app.anonymous(Method::GET, &format!("{path}?ticket={ticket}"))).await
}

#[track_caller]
fn expect_refused(answer: Answer) {
    answer.expect_error(401, "UNAUTHENTICATED");
}

on_every_store! {
    async fn a_download_ticket_authorises_get_and_head_as_often_as_wanted(app) {
        let session = app.open_session("alice").await;
        let path = stored(app, &session).await;
        let answer = send(app.request("alice", Method::POST, PATH)).await;
        assert_eq!(answer.header("cache-control"), "no-store");
        let body = answer.expect(201);
        assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
        let text = text_of(&body);
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)), "{text}");
        for _ in 0..2 {
            let answer = download(app, &path, &text).await;
            answer.expect_status(200);
            assert_eq!(answer.bytes, BYTES);
        }
        let query = format!("{path}?ticket={text}");
        send(app.anonymous(Method::HEAD, &query)).await.expect_status(200);
        let part = send(app.anonymous(Method::GET, &query).header("range", "bytes=0-4")).await;
        part.expect_status(206);
        assert_eq!(part.bytes, &BYTES[..5]);
        // An address from an earlier answer stays the same, so that it can be kept.
        download(app, &path, &ticket(app, "alice").await).await.expect_status(200);
    }

    async fn a_download_ticket_is_accepted_by_every_node(app) {
        let session = app.open_session("alice").await;
        let path = stored(app, &session).await;
        let who = token("alice", Role::User, app.clock.now(), app.clock.now().plus(Duration::from_hours(1)));
        let verifier = chat_identity::TokenVerifier::hs256(SECRET, chat_identity::TokenRules::default());
        let holder = verifier.verify(&who, app.clock.now()).unwrap();
        let (elsewhere, _) = app.other_node_tickets().issue(&holder, app.clock.now()).await.unwrap();
        download(app, &path, &elsewhere).await.expect_status(200);
    }

    async fn the_right_to_the_file_is_checked_each_time(app) {
        let session = app.open_session("alice").await;
        let path = stored(app, &session).await;
        let (of_mallory, of_carol) = (ticket(app, "mallory").await, ticket(app, "carol").await);
        download(app, &path, &of_mallory).await.expect_error(403, "FORBIDDEN");
        let unknown = format!("/api/chat/attachments/{}", fixtures::attachment_id(404));
        download(app, &unknown, &of_mallory).await.expect_error(404, "ATTACHMENT_NOT_FOUND");
        download(app, &path, &of_carol).await.expect_status(200);
        app.put("bob", &format!("/api/chat/sessions/{session}/assign"), json!({ "agentId": "bob" })).await.expect(200);
        download(app, &path, &of_carol).await.expect_error(403, "FORBIDDEN");
    }

    async fn a_download_ticket_ends_after_fifteen_minutes_or_with_its_token(app) {
        let session = app.open_session("alice").await;
        let path = stored(app, &session).await;
        let body = app.post("alice", PATH, json!(null)).await.expect(201);
        let expires_at = body["expiresAt"].as_str().unwrap().to_owned();
        app.clock.advance(Duration::from_mins(14));
        download(app, &path, &text_of(&body)).await.expect_status(200);
        app.clock.advance(Duration::from_mins(1));
        assert!(app.clock.now().to_string() >= expires_at, "{expires_at}");
        expect_refused(download(app, &path, &text_of(&body)).await);

        let now = app.clock.now();
        let short = token("alice", Role::User, now, now.plus(Duration::from_mins(5)));
        let body = send(app.anonymous(Method::POST, PATH).bearer_auth(&short)).await.expect(201);
        download(app, &path, &text_of(&body)).await.expect_status(200);
        app.clock.advance(Duration::from_mins(5));
        expect_refused(download(app, &path, &text_of(&body)).await);
    }

    async fn a_download_ticket_that_is_forged_or_changed_is_refused(app) {
        let session = app.open_session("alice").await;
        let path = stored(app, &session).await;
        let genuine = ticket(app, "alice").await;
        let (claims, now) = (genuine.split('.').nth(1).unwrap(), app.clock.now());
        let forged = TokenClaims {
            sub: "root".to_owned(),
            role: Some("admin".to_owned()),
            name: None,
            picture: None,
            issuer: None,
            audience: Some("chat-downloads".to_owned()),
            issued_at: now,
            expires_at: now.plus(Duration::from_mins(5)),
        };
        let forged = sign_hs256(SECRET, &forged).unwrap();
        let mut changed = vec![
            String::new(),
            "x".to_owned(),
            "x".repeat(9_000),
            format!("{genuine}A"),
            genuine[..genuine.len() - 1].to_owned(),
            format!("eyJhbGciOiJub25lIn0.{claims}."),
            genuine.replacen('.', "..", 1),
            // Signed with the operator's secret, which is not the key of tickets.
            forged,
            app.token_of("root"),
        ];
        for at in (0..genuine.len()).step_by(7) {
            let mut bytes = genuine.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            changed.push(String::from_utf8(bytes).unwrap());
        }
        for text in changed {
            expect_refused(download(app, &path, &text).await);
        }
        download(app, &path, &genuine).await.expect_status(200);
    }

    async fn a_download_ticket_is_the_only_credential_of_its_request(app) {
        let session = app.open_session("alice").await;
        let path = stored(app, &session).await;
        let ticket = ticket(app, "alice").await;
        let query = format!("{path}?ticket={ticket}");
        expect_refused(send(app.request("alice", Method::GET, &query)).await);
        expect_refused(send(app.anonymous(Method::GET, &format!("{query}&ticket={ticket}"))).await);
        expect_refused(send(app.anonymous(Method::GET, &query).header("authorization", "")).await);
        let with_more = send(app.anonymous(Method::GET, &format!("{query}&size=1"))).await;
        with_more.expect_invalid("size");
        // Nothing else can be asked for with it.
        for path in [PATH.to_owned(), "/api/chat/sessions".to_owned(), format!("/api/chat/sessions/{session}/messages")] {
            for method in [Method::GET, Method::POST] {
                let answer = send(app.anonymous(method, &format!("{path}?ticket={ticket}"))).await;
                assert!(matches!(answer.status.as_u16(), 401 | 405), "{path}: {}", answer.status);
            }
            expect_refused(send(app.anonymous(Method::POST, &path).bearer_auth(&ticket)).await);
        }
    }

    async fn the_end_of_a_persons_access_ends_their_download_tickets(app) {
        let session = app.open_session("alice").await;
        let path = stored(app, &session).await;
        let of_alice = ticket(app, "alice").await;
        app.post("root", "/api/chat/people/alice/sign-out", json!(null)).await.expect(204);
        expect_refused(download(app, &path, &of_alice).await);
        app.clock.advance(Duration::from_secs(1));
        let of_alice = ticket(app, "alice").await;
        download(app, &path, &of_alice).await.expect_status(200);
        app.put("root", "/api/chat/people/alice/block", json!({})).await.expect(204);
        download(app, &path, &of_alice).await.expect_error(403, "BLOCKED");

        app.put("root", "/api/chat/agents/bob", json!({})).await.expect(201);
        let of_bob = ticket(app, "bob").await;
        app.delete("root", "/api/chat/agents/bob").await.expect(200);
        download(app, &path, &of_bob).await.expect_error(403, "AGENT_DEACTIVATED");
    }
}
