//! How a socket of many sessions is opened, and what refuses it.

use chat_domain::model::SocketLimits;
use chat_domain::service::Rules;
use reqwest::Method;
use serde_json::json;

use crate::support::app::{Options, send};
use crate::support::handshake::token_entry;
use crate::support::{Store, TestApp, TestSocket};

on_every_store! {
    async fn hello_says_whose_socket_it_is_and_its_limits(app) {
        for (who, role) in [("alice", "user"), ("bob", "agent"), ("root", "admin")] {
            let (_socket, hello) = TestSocket::open_multiplexed(&app.base, &app.token_of(who)).await;
            assert_eq!((&hello["userId"], &hello["role"]), (&json!(who), &json!(role)), "{hello}");
            assert_eq!((&hello["maxSubscriptions"], &hello["maxFrameBytes"]), (&json!(100), &json!(16_384)));
            assert_eq!(hello["heartbeatMs"], 25_000);
            for field in ["connectionId", "tokenExpiresAt", "serverTime"] {
                assert!(hello[field].is_string(), "{hello}");
            }
            assert_eq!(hello.as_object().unwrap().len(), 8, "{hello}");
        }
    }
}

#[tokio::test]
async fn only_chat_v1_is_spoken() {
    let app = TestApp::start(Store::Memory).await;
    let bearer = format!("Bearer {}", app.token_of("bob"));
    let entry = token_entry(&app.token_of("bob"));
    let (with_token, others) = (format!("chat.v1, {entry}"), format!("chat.v2, {entry}"));
    for (headers, expected) in [
        (vec![("authorization", bearer.as_str()), ("sec-websocket-protocol", "chat.v1")], Ok(())),
        (vec![("sec-websocket-protocol", with_token.as_str())], Ok(())),
        (vec![("authorization", bearer.as_str())], Err(400)),
        (vec![("sec-websocket-protocol", entry.as_str())], Err(400)),
        (vec![("sec-websocket-protocol", others.as_str())], Err(400)),
        (vec![("sec-websocket-protocol", "chat.v1")], Err(401)),
    ] {
        let opened = TestSocket::try_open_multiplexed(&app.base, "", &headers).await;
        assert_eq!(opened.map(|_| ()), expected, "{headers:?}");
    }
    app.stop().await;
}

#[tokio::test]
async fn requests_that_are_no_handshake_or_come_from_elsewhere_are_refused() {
    let app = TestApp::start(Store::Memory).await;
    let plain = send(app.request("bob", Method::GET, "/ws/chat")).await;
    plain.expect_error(426, "UPGRADE_REQUIRED");
    let bearer = format!("Bearer {}", app.token_of("bob"));
    let headers = [("authorization", bearer.as_str()), ("sec-websocket-protocol", "chat.v1")];
    let foreign = [headers.as_slice(), &[("origin", "https://evil.example")]].concat();
    assert_eq!(TestSocket::try_open_multiplexed(&app.base, "", &foreign).await.err(), Some(403));
    for query in ["?since=3", "?after=x", "?sessionId=x", "?more"] {
        assert_eq!(TestSocket::try_open_multiplexed(&app.base, query, &headers).await.err(), Some(400), "{query}");
    }
    app.delete("root", "/api/chat/agents/bob").await.expect(200);
    assert_eq!(TestSocket::try_open_multiplexed(&app.base, "", &headers).await.err(), Some(403));
    app.stop().await;
}

fn two_sockets_a_person() -> Options {
    let rules = Rules { sockets: SocketLimits { per_session: 10, per_user: 2 }, ..Options::default().rules };
    Options { rules, ..Options::default() }
}

on_every_store! {
    with two_sockets_a_person;

    async fn a_socket_counts_for_its_person_and_its_subscriptions_do_not(app) {
        let sessions = [app.open_session("alice").await, app.open_session("alice").await, app.open_session("alice").await];
        let mut first = app.open_socket("alice").await;
        for session in &sessions {
            first.subscribe(session, json!({})).await;
        }
        let second = app.watch("alice", &sessions[0], "").await;
        let bearer = format!("Bearer {}", app.token_of("alice"));
        let headers = [("authorization", bearer.as_str()), ("sec-websocket-protocol", "chat.v1")];
        assert_eq!(TestSocket::try_open_multiplexed(&app.base, "", &headers).await.err(), Some(429));
        assert_eq!(TestSocket::try_open(&app.base, &sessions[1], "", &headers).await.err(), Some(429));
        drop(second);
        while app.hub.subscriptions() > 3 {
            tokio::task::yield_now().await;
        }
        assert!(TestSocket::try_open_multiplexed(&app.base, "", &headers).await.is_ok());
    }
}
