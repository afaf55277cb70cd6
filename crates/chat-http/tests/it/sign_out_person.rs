//! `POST /api/chat/people/{personId}/sign-out`, and what it means for tokens, sockets and tickets

use std::time::Duration;

use chat_domain::model::{AccessChange, Role};
use chat_domain::ports::Clock;
use chat_testkit::fixtures;
use jsonwebtoken::{EncodingKey, Header};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{SECRET, send, token};
use crate::support::handshake::{handshake, status};
use crate::support::{Answer, TestApp, TestSocket};

const SESSIONS: &str = "/api/chat/sessions";

/// A token of this second, which a sign-out does not reach that comes later than it. The next call is a second later.
fn new_token(app: &TestApp, who: &str) -> String {
    app.clock.advance(Duration::from_secs(1));
    app.token_of(who)
}

async fn list(app: &TestApp, token: &str) -> Answer {
    send(app.anonymous(Method::GET, SESSIONS).bearer_auth(token)).await
}

async fn sign_out(app: &TestApp, who: &str) {
    let signed_out = app.post("root", &format!("/api/chat/people/{who}/sign-out"), json!(null)).await;
    assert_eq!(signed_out.expect(204), Value::Null);
}

#[track_caller]
fn expect_signed_out(answer: Answer) {
    assert_eq!(answer.header("www-authenticate"), "Bearer");
    let error = answer.expect_error(401, "UNAUTHENTICATED");
    assert_eq!(error["message"], "you were signed out; get a new token");
}

on_every_store! {
    async fn tokens_of_before_are_refused_and_later_ones_accepted(app) {
        let (before, others) = (new_token(app, "alice"), new_token(app, "mallory"));
        list(app, &before).await.expect(200);
        let same_second = new_token(app, "alice");
        sign_out(app, "alice").await;
        expect_signed_out(list(app, &before).await);
        // Its `iat` is the beginning of the second of the sign-out: it may be from before it.
        expect_signed_out(list(app, &same_second).await);
        let claims = json!({ "sub": "alice", "exp": fixtures::START / 1_000 + 3_600 });
        let without_iat = jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET)).unwrap();
        expect_signed_out(list(app, &without_iat).await);
        list(app, &others).await.expect(200);
        let after = new_token(app, "alice");
        list(app, &after).await.expect(200);
        sign_out(app, "alice").await;
        expect_signed_out(list(app, &after).await);
    }

    async fn a_token_without_iat_is_refused_for_as_long_as_a_token_may_live(app) {
        let lifetime = app.service.rules().max_token_lifetime;
        let signed_out_at = app.clock.now();
        // It is longer-lived than the limit, so it is refused at first and would be taken near its end.
        let claims = json!({ "sub": "alice", "exp": signed_out_at.plus(lifetime * 2).unix_ms() / 1_000 });
        let without_iat = jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET)).unwrap();
        list(app, &without_iat).await.expect_error(401, "UNAUTHENTICATED");
        app.clock.advance(Duration::from_mins(1));
        sign_out(app, "alice").await;
        app.clock.advance(lifetime.saturating_sub(Duration::from_secs(30)));
        app.service.sweep_revocations().await.unwrap();
        app.service.refresh_revocations().await.unwrap();
        expect_signed_out(list(app, &without_iat).await);
    }

    async fn a_token_from_the_future_does_not_say_when_it_was_issued(app) {
        let in_milliseconds = json!({ "sub": "alice", "iat": fixtures::START, "exp": fixtures::START / 1_000 + 3_600 });
        let key = EncodingKey::from_secret(SECRET);
        let token = jsonwebtoken::encode(&Header::default(), &in_milliseconds, &key).unwrap();
        list(app, &token).await.expect(200);
        sign_out(app, "alice").await;
        expect_signed_out(list(app, &token).await);
    }

    async fn every_operation_refuses_a_person_who_was_signed_out(app) {
        let session = app.open_session("alice").await;
        let before = new_token(app, "alice");
        sign_out(app, "alice").await;
        for (method, path) in [
            (Method::GET, format!("{SESSIONS}/{session}")),
            (Method::POST, format!("{SESSIONS}/{session}/messages")),
            (Method::PUT, format!("{SESSIONS}/{session}/close")),
            (Method::GET, format!("/api/chat/attachments/{session}")),
            (Method::POST, "/api/chat/people/bob/sign-out".to_owned()),
        ] {
            let request = app.anonymous(method, &path).bearer_auth(&before).json(&json!({ "content": "hello" }));
            expect_signed_out(send(request).await);
        }
        let bearer = format!("Bearer {before}");
        let opened = TestSocket::try_open(&app.base, &session, "", &[("authorization", &bearer)]).await;
        assert_eq!(opened.err(), Some(401));
        let count = app.get("root", &format!("{SESSIONS}/{session}/messages")).await.expect(200);
        assert_eq!(count["messages"], json!([]));
    }

    async fn sockets_of_tokens_of_before_close_and_nothing_follows(app) {
        let session = app.open_assigned("alice", "bob").await;
        let mut base = app.watch("alice", &session, "").await;
        let (mut extended, _) = app.watch_extended("alice", &session, "").await;
        let mut bob = app.watch("bob", &session, "").await;
        sign_out(app, "alice").await;
        app.say("bob", &session, "after").await;
        for socket in [&mut base, &mut extended] {
            assert_eq!(socket.closed().await, (4401, "signed out".to_owned()));
        }
        assert_eq!(bob.next().await["data"]["content"], "after");
        let (mut again, _) =
            TestSocket::open_extended(&app.base, &session, "", &new_token(app, "alice")).await;
        app.say("bob", &session, "again").await;
        assert_eq!(again.next().await["data"]["content"], "again");
    }

    async fn sockets_and_tickets_of_a_token_without_iat_end_too(app) {
        let session = app.open_assigned("alice", "bob").await;
        let claims = json!({ "sub": "alice", "exp": fixtures::START / 1_000 + 3_600 });
        let without_iat = jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET)).unwrap();
        let mut by_token = TestSocket::open(&app.base, &session, "", &without_iat).await;
        let ticket = async || {
            let path = format!("{SESSIONS}/{session}/ws-ticket");
            let ticket = send(app.anonymous(Method::POST, &path).bearer_auth(&without_iat)).await.expect(201);
            format!("?ticket={}", ticket["ticket"].as_str().unwrap())
        };
        let mut by_ticket = TestSocket::try_open(&app.base, &session, &ticket().await, &[]).await.unwrap();
        let unused = ticket().await;
        sign_out(app, "alice").await;
        app.say("bob", &session, "after").await;
        for socket in [&mut by_token, &mut by_ticket] {
            assert_eq!(socket.closed().await, (4401, "signed out".to_owned()));
        }
        assert_eq!(status(handshake(app, &session, &unused)).await, 401);
    }

    async fn sockets_of_a_person_signed_out_elsewhere_close_and_record_nothing(app) {
        let session = app.open_assigned("alice", "bob").await;
        let message = app.say("bob", &session, "hello").await;
        let (mut alice, hello) = app.watch_extended("alice", &session, "").await;
        let other_node = app.service.clone();
        app.clock.advance(Duration::from_secs(1));
        app.revocations.change(fixtures::alice().id, AccessChange::SignOut, app.clock.now()).await.unwrap();
        assert_eq!(other_node.refresh_revocations().await.unwrap(), 1);
        alice.say("ack", json!({ "seq": hello["seq"] })).await;
        assert_eq!(alice.closed().await, (4401, "signed out".to_owned()));
        app.until_no_session_is_watched().await;
        let page = app.get("bob", &format!("{SESSIONS}/{session}/messages")).await.expect(200);
        assert_eq!((&page["messages"][0]["id"], &page["messages"][0]["status"]), (&message["id"], &json!("sent")));
    }

    async fn a_newer_token_keeps_a_socket_through_a_sign_out_of_before(app) {
        let session = app.open_assigned("alice", "bob").await;
        let (mut alice, _) = app.watch_extended("alice", &session, "").await;
        let signed_out_at = app.clock.now();
        alice.say("auth", json!({ "token": new_token(app, "alice") })).await;
        assert_eq!(alice.next().await["type"], "auth_ok");
        app.revocations.change(fixtures::alice().id, AccessChange::SignOut, signed_out_at).await.unwrap();
        assert_eq!(app.service.refresh_revocations().await.unwrap(), 0);
        // A token of before the sign-out is refused, and the socket goes on with the token that it has.
        let old = token("alice", Role::User, fixtures::start(), app.clock.now().plus(Duration::from_hours(1)));
        alice.say("auth", json!({ "token": old })).await;
        let refused = alice.next().await;
        assert_eq!((&refused["type"], &refused["data"]["code"]), (&json!("error"), &json!("UNAUTHENTICATED")));
        app.say("bob", &session, "still here").await;
        assert_eq!(alice.next().await["data"]["content"], "still here");
    }

    async fn a_ticket_of_before_opens_no_socket(app) {
        let session = app.open_session("alice").await;
        let path = format!("{SESSIONS}/{session}/ws-ticket");
        let ticket = app.post("alice", &path, json!(null)).await.expect(201);
        sign_out(app, "alice").await;
        let opened = status(handshake(app, &session, &format!("?ticket={}", ticket["ticket"].as_str().unwrap()))).await;
        assert_eq!(opened, 401);
        let later = send(app.anonymous(Method::POST, &path).bearer_auth(new_token(app, "alice"))).await.expect(201);
        let opened = status(handshake(app, &session, &format!("?ticket={}", later["ticket"].as_str().unwrap()))).await;
        assert_eq!(opened, 101);
    }

    async fn any_subject_of_a_token_is_a_person(app) {
        app.post("root", "/api/chat/people/auth0%7C5%2F7%20%C3%A9/sign-out", json!(null)).await.expect(204);
        expect_signed_out(list(app, &app.token("auth0|5/7 é", Role::User)).await);
        for id in ["%FF", "%20%20", "a%00b", &"x".repeat(129)] {
            app.post("root", &format!("/api/chat/people/{id}/sign-out"), json!(null)).await.expect_invalid("personId");
        }
        app.post("root", "/api/chat/people/alice/sign-out?x=1", json!(null)).await.expect_invalid("x");
    }

    async fn only_an_admin_signs_out_and_themself_too(app) {
        for who in ["alice", "bob"] {
            app.post(who, "/api/chat/people/alice/sign-out", json!(null)).await.expect_error(403, "FORBIDDEN");
        }
        let before = new_token(app, "root");
        sign_out(app, "root").await;
        expect_signed_out(list(app, &before).await);
        list(app, &new_token(app, "root")).await.expect(200);
    }
}
