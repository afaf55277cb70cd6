//! How a socket learns who opens it, and in which mode: headers, subprotocols, the query.

use crate::support::app::send;
use crate::support::handshake::{handshake, outcome, status, token_entry};
use crate::support::{Store, TestApp};

const SUBPROTOCOL: &str = "sec-websocket-protocol";

#[tokio::test]
async fn a_token_among_the_subprotocols_opens_a_socket_unechoed() {
    let app = TestApp::start(Store::Memory).await;
    let session = app.open_session("alice").await;
    let entry = token_entry(&app.token_of("alice"));
    let extended = (101, Some("chat.v1".to_owned()));
    for offered in [format!("chat.v1, {entry}"), format!("{entry},chat.v1"), format!("chat.v9, {entry} ,  chat.v1")] {
        assert_eq!(outcome(handshake(&app, &session, "").header(SUBPROTOCOL, &offered)).await, extended, "{offered}");
    }
    let in_two_headers = handshake(&app, &session, "").header(SUBPROTOCOL, "chat.v1").header(SUBPROTOCOL, &entry);
    assert_eq!(outcome(in_two_headers).await, extended);
    // Without `chat.v1` it is base mode, and no subprotocol is named.
    assert_eq!(outcome(handshake(&app, &session, "").header(SUBPROTOCOL, &entry)).await, (101, None));
    app.stop().await;
}

#[tokio::test]
async fn the_mode_is_what_the_client_offers_and_the_server_speaks() {
    let app = TestApp::start(Store::Memory).await;
    let session = app.open_session("alice").await;
    let with = |offered: Option<&str>| {
        let request = handshake(&app, &session, "").bearer_auth(app.token_of("alice"));
        outcome(offered.into_iter().fold(request, |request, offered| request.header(SUBPROTOCOL, offered)))
    };
    assert_eq!(with(None).await, (101, None));
    for offered in ["chat.v1", "graphql-ws, chat.v1", "chat.v1,chat.v1"] {
        assert_eq!(with(Some(offered)).await, (101, Some("chat.v1".to_owned())), "{offered}");
    }
    for offered in ["chat.v2", "CHAT.V1", "graphql-ws", "chat", "chat.v1x", "", ","] {
        assert_eq!(with(Some(offered)).await, (101, None), "{offered}");
    }
    app.stop().await;
}

#[tokio::test]
async fn a_subprotocol_without_a_valid_token_opens_no_socket() {
    let app = TestApp::start(Store::Memory).await;
    let session = app.open_session("alice").await;
    let token = app.token_of("alice");
    let good = token_entry(&token);
    for entry in [
        "base64url.bearer.chat.".to_owned(),
        format!("base64url.bearer.chat.{token}"),
        format!("{good}A"),
        format!("base64url.bearer.chat.{}", &good["base64url.bearer.chat.".len() + 4..]),
        format!("base64url.bearer.{}", &good["base64url.bearer.chat.".len()..]),
        format!("base64url.bearer.chat.k8s.io.{}", &good["base64url.bearer.chat.".len()..]),
        format!("BASE64URL.bearer.chat.{}", &good["base64url.bearer.chat.".len()..]),
        // Not UTF-8 inside.
        "base64url.bearer.chat.__79".to_owned(),
        token_entry(""),
        token_entry("x.y.z"),
        token_entry(&format!("Bearer {token}")),
        format!("bearer, {token}"),
        "chat.v1".to_owned(),
    ] {
        let answer = send(handshake(&app, &session, "").header(SUBPROTOCOL, &entry)).await;
        assert_eq!(answer.header("www-authenticate"), "Bearer", "{entry}");
        assert_eq!(answer.header(SUBPROTOCOL), "", "{entry}");
        answer.expect_error(401, "UNAUTHENTICATED");
    }
    app.stop().await;
}

#[tokio::test]
async fn a_socket_is_opened_by_exactly_one_credential() {
    let app = TestApp::start(Store::Memory).await;
    let session = app.open_session("alice").await;
    let (token, entry) = (app.token_of("alice"), token_entry(&app.token_of("alice")));
    let open = || handshake(&app, &session, "");
    assert_eq!(status(open()).await, 401, "none");
    assert_eq!(status(open().bearer_auth(&token).bearer_auth(&token)).await, 401, "two headers");
    assert_eq!(status(open().bearer_auth(&token).header(SUBPROTOCOL, &entry)).await, 401, "a header and a subprotocol");
    assert_eq!(status(open().header(SUBPROTOCOL, format!("{entry}, {entry}"))).await, 401, "two subprotocols");
    let with_basic = open().header("authorization", "Basic YWxpY2U6cHc=").header(SUBPROTOCOL, &entry);
    assert_eq!(status(with_basic).await, 401, "another header and a subprotocol");
    assert_eq!(status(open().header("cookie", format!("token={token}; ticket={token}"))).await, 401, "cookies");
    // What is not a credential on a socket does not open it, and is a parameter like any other that it does not have.
    for name in ["token", "access_token", "authorization"] {
        let query = format!("?{name}={token}");
        assert_eq!(status(handshake(&app, &session, &query)).await, 401, "{name} alone");
        assert_eq!(status(handshake(&app, &session, &query).bearer_auth(&token)).await, 400, "{name} beside a token");
    }
    app.stop().await;
}

#[tokio::test]
async fn a_token_among_the_subprotocols_counts_only_for_sockets() {
    let app = TestApp::start(Store::Memory).await;
    let entry = token_entry(&app.token_of("alice"));
    let listing = app.anonymous(reqwest::Method::GET, "/api/chat/sessions").header(SUBPROTOCOL, entry);
    assert_eq!(send(listing).await.status, 401);
    app.stop().await;
}
