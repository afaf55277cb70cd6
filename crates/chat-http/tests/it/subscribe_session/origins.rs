//! Which web pages may open a socket.

use chat_http::{AllowedOrigin, HttpSettings};
use reqwest::Method;

use crate::support::app::{Options, send};
use crate::support::handshake::{handshake, status, token_entry};
use crate::support::{TestApp, TestSocket};

/// The status that a page of this origin gets; 101 when it may open the socket.
async fn status_for(app: &TestApp, session: &str, origins: &[&str]) -> u16 {
    let token = format!("Bearer {}", app.token_of("alice"));
    let mut headers = vec![("authorization", token.as_str())];
    headers.extend(origins.iter().map(|origin| ("origin", *origin)));
    match TestSocket::try_open(&app.base, session, "", &headers).await {
        Ok(_) => 101,
        Err(status) => status,
    }
}

fn a_list_of_origins() -> Options {
    let origins =
        ["https://shop.example", "http://localhost:3000"].map(|origin| AllowedOrigin::parse(origin).unwrap()).to_vec();
    Options { http: HttpSettings { origins, ..HttpSettings::default() }, ..Options::default() }
}

fn a_public_url() -> Options {
    // As an operator may write it.
    let public_url = Some("https://Chat.Example:443/support".to_owned());
    Options { http: HttpSettings { public_url, ..HttpSettings::default() }, ..Options::default() }
}

on_every_store! {
    with a_list_of_origins;

    async fn pages_of_the_list_and_of_the_server_itself_may_open_a_socket(app) {
        let session = app.open_session("alice").await;
        for origin in ["https://shop.example", "http://localhost:3000", &app.base] {
            assert_eq!(status_for(app, &session, &[origin]).await, 101, "{origin}");
        }
        assert_eq!(status_for(app, &session, &[]).await, 101, "a client that is no browser");
    }

    async fn pages_of_other_origins_may_not(app) {
        let session = app.open_session("alice").await;
        let host = app.base.strip_prefix("http://").unwrap();
        let foreign = [
            "https://evil.example", "null", "",
            // Look-alikes.
            "https://shop.example.evil.example", "https://evil-shop.example", "https://shop.example:444",
            "https://shop.example/", "https://shop.example@evil.example", "https://xn--shop.example",
            &format!("{}.evil.example", app.base), &format!("http://{host}@evil.example"), &format!("{}0", app.base),
            // Downgraded, and otherwise another scheme.
            "http://shop.example", "https://localhost:3000", &format!("ws://{host}"), host,
            // Not as a browser writes it: case, default port, a dot at the end, a name in front, spaces, a list.
            "https://SHOP.example", "HTTPS://shop.example", "https://shop.example:443", "https://shop.example.",
            "https://alice@shop.example", "https://shop.example https://evil.example", "https://shop.example, null",
            "https://evil.example#https://shop.example", "https:\\\\shop.example", "https://shop.example%00.evil.example",
        ];
        for origin in foreign {
            assert_eq!(status_for(app, &session, &[origin]).await, 403, "{origin:?}");
        }
        assert_eq!(status_for(app, &session, &["https://shop.example", "https://evil.example"]).await, 403, "two");
    }

    async fn the_origin_is_checked_whatever_credential_a_page_uses(app) {
        let session = app.open_session("alice").await;
        let entry = token_entry(&app.token_of("alice"));
        for (origin, expected) in [("https://shop.example", 101), ("https://evil.example", 403), ("null", 403)] {
            let request = handshake(app, &session, "").header("sec-websocket-protocol", format!("chat.v1, {entry}"));
            assert_eq!(status(request.header("origin", origin)).await, expected, "{origin}");
        }
    }

    async fn a_refused_origin_has_its_own_error_code(app) {
        let session = app.open_session("alice").await;
        let request = app.request("alice", Method::GET, &format!("/ws/chat/{session}"));
        let answer = send(request.header("origin", "https://evil.example")).await;
        assert_eq!(answer.header("access-control-allow-origin"), "");
        answer.expect_error(403, "ORIGIN_NOT_ALLOWED");
        let anonymous = app.anonymous(Method::GET, &format!("/ws/chat/{session}"));
        send(anonymous.header("origin", "https://evil.example")).await.expect_error(401, "UNAUTHENTICATED");
    }
}

on_every_store! {
    async fn behind_a_proxy_that_ends_tls_the_own_pages_may_open_a_socket(app) {
        let session = app.open_session("alice").await;
        let token = app.token_of("alice");
        let from = async |host: &str, origin: &str| {
            let request = handshake(app, &session, "").bearer_auth(&token).header("host", host);
            status(request.header("origin", origin)).await
        };
        // The proxy says which host the client asked for, and not that it was asked with TLS.
        for (host, origin) in [
            ("chat.example", "https://chat.example"), ("chat.example", "http://chat.example"),
            ("Chat.Example:443", "https://chat.example"), ("chat.example:8443", "https://chat.example:8443"),
            ("[2001:db8::1]", "https://[2001:db8::1]"),
        ] {
            assert_eq!(from(host, origin).await, 101, "{host} {origin}");
        }
        for (host, origin) in [
            ("chat.example", "https://chat.example:8443"), ("chat.example:8443", "https://chat.example"),
            ("chat.example:80", "https://chat.example"), ("chat.example:443", "http://chat.example"),
            ("chat.example", "https://chat.example.evil.example"), ("chat.example", "https://evil-chat.example"),
            ("chat.example", "https://evil.example"), ("chat.example", "null"), ("chat.example", "wss://chat.example"),
            ("chat.example", "https://chat.example."), ("chat.example", "https://chat.example/"),
        ] {
            assert_eq!(from(host, origin).await, 403, "{host} {origin}");
        }
    }
}

on_every_store! {
    with a_public_url;

    async fn behind_a_public_address_that_address_is_the_own_origin(app) {
        let session = app.open_session("alice").await;
        assert_eq!(status_for(app, &session, &["https://chat.example"]).await, 101);
        let foreign = [
            "http://chat.example", "https://chat.example.evil.example", "https://chat.exampl", "https://chat.example:8443",
            "https:", "https:/", "https://", "https://chat.example/support", &app.base,
            "https://Chat.Example", "https://chat.example:443", "https://chat.example.", "https://a@chat.example",
        ];
        for origin in foreign {
            assert_eq!(status_for(app, &session, &[origin]).await, 403, "{origin:?}");
        }
    }
}
