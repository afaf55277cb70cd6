//! Requests that came through a proxy, in development mode and otherwise

use chat_http::{ForwardedHeader, HttpSettings, ProxySettings, TrustedProxy};
use reqwest::Method;
use reqwest::header::HeaderValue;
use serde_json::json;

use crate::support::app::{Options, send};
use crate::support::{Form, Store, TestApp, TestSocket};

/// What a proxy adds, in any letter case.
const ADDED: [&str; 13] = [
    "Forwarded",
    "Forwarded-For",
    "X-Forwarded",
    "X-Forwarded-For",
    "x-forwarded-host",
    "X-Forwarded-Proto",
    "X-Forwarded-Anything",
    "X-Real-IP",
    "Via",
    "CF-Connecting-IP",
    "Fly-Client-IP",
    "X-Envoy-External-Address",
    "X-Azure-ClientIP",
];

fn development() -> Options {
    Options { http: HttpSettings { refuse_forwarded: true, ..HttpSettings::default() }, ..Options::default() }
}

#[tokio::test]
async fn in_development_mode_proxied_requests_are_refused_with_the_remedy() {
    let app = TestApp::with(Store::Memory, development()).await;
    let session = app.open_session("alice").await;
    let bearer = format!("Bearer {}", app.token_of("alice"));
    for header in ADDED {
        for path in ["/api/chat/sessions", "/healthz", "/docs", "/nothing"] {
            let answer = send(app.request("alice", Method::GET, path).header(header, "192.0.2.1")).await;
            let message = answer.expect_error(403, "DEVELOPMENT_MODE")["message"].as_str().unwrap().to_owned();
            for part in [&header.to_lowercase(), "development mode", "--jwt-secret (CHAT_JWT_SECRET)"] {
                assert!(message.contains(part), "{message}");
            }
        }
        let headers = [("authorization", bearer.as_str()), (header, "192.0.2.1")];
        assert_eq!(TestSocket::try_open(&app.base, &session, "", &headers).await.err(), Some(403), "{header}");
    }
    // It changes nothing for those on the machine itself.
    app.get("alice", "/api/chat/sessions").await.expect(200);
    app.stop().await;
}

#[tokio::test]
async fn with_a_configured_key_proxied_requests_are_accepted() {
    let app = TestApp::start(Store::Memory).await;
    for header in ADDED {
        send(app.request("alice", Method::GET, "/api/chat/sessions").header(header, "192.0.2.1")).await.expect(200);
    }
    app.stop().await;
}

/// A server that believes this machine.
fn behind_a_proxy(header: ForwardedHeader) -> HttpSettings {
    let proxies = ProxySettings { trusted: vec![TrustedProxy::Loopback], header };
    HttpSettings { proxies, ..HttpSettings::default() }
}

async fn app_with(http: HttpSettings) -> TestApp {
    TestApp::with(Store::Memory, Options { http, ..Options::default() }).await
}

#[tokio::test]
async fn links_begin_with_the_address_that_the_client_used() {
    let x =
        [("x-forwarded-proto", "https"), ("x-forwarded-host", "a.example:8443"), ("x-forwarded-prefix", "/support/")];
    let standard = [("forwarded", "for=192.0.2.1;host=\"a.example:8443\";proto=https, for=127.0.0.1")];
    for (header, sent, expected) in [
        (ForwardedHeader::XForwarded, &x[..], "https://a.example:8443/support"),
        (ForwardedHeader::Standard, &standard, "https://a.example:8443"),
    ] {
        let app = app_with(behind_a_proxy(header)).await;
        let with = |request| {
            sent.iter().fold(request, |request: reqwest::RequestBuilder, (name, value)| request.header(*name, *value))
        };
        let opened = send(with(app.request("alice", Method::POST, "/api/chat/sessions").json(&json!({})))).await;
        let id = opened.json()["id"].as_str().unwrap().to_owned();
        assert_eq!(opened.header("location"), format!("{expected}/api/chat/sessions/{id}"));
        let form = Form::new().file(0, "a.txt", "text/plain", b"hello");
        let message = send(with(form.to(&app, "alice", &id))).await.expect(201);
        let url = message["attachments"][0]["url"].as_str().unwrap();
        assert!(url.starts_with(&format!("{expected}/api/chat/attachments/")), "{url}");
        // The same page for a client who comes directly.
        let page = app.get("alice", &format!("/api/chat/sessions/{id}/messages")).await.expect(200);
        assert!(page["messages"][0]["attachments"][0]["url"].as_str().unwrap().starts_with(&app.base), "{page}");
        app.stop().await;
    }
}

#[tokio::test]
async fn junk_of_a_trusted_proxy_is_in_no_link() {
    let long = format!("{}.example", "a".repeat(250));
    for header in [ForwardedHeader::XForwarded, ForwardedHeader::Standard] {
        let app = app_with(behind_a_proxy(header)).await;
        for junk in ["a:b:c", "[[", "[::1", "::1", "a..b", "a:0", "a:99999", "u@a", "a/b", "a?b", "<a>", "a%0d", &long]
        {
            let request = app.request("alice", Method::POST, "/api/chat/sessions").json(&json!({}));
            let request = match header {
                ForwardedHeader::XForwarded => {
                    request.header("x-forwarded-host", junk).header("x-forwarded-prefix", "/ x")
                }
                ForwardedHeader::Standard => request.header("forwarded", format!("host=\"{junk}\";proto=\"x y\"")),
            };
            let opened = send(request).await;
            opened.expect_status(201);
            let location = opened.header("location");
            assert!(location.starts_with(&format!("{}/api/chat/sessions/", app.base)), "{junk}: {location}");
        }
        app.stop().await;
    }
}

#[tokio::test]
async fn a_browser_is_sent_to_the_documentation_under_the_prefix_of_the_proxy() {
    let app = app_with(behind_a_proxy(ForwardedHeader::XForwarded)).await;
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    for (prefix, expected) in [("/support", "/support/docs/"), ("//evil.example", "docs/")] {
        let request = client.get(&app.base).header("accept", "text/html").header("x-forwarded-prefix", prefix);
        let answer = send(request).await;
        answer.expect_status(302);
        assert_eq!(answer.header("location"), expected, "{prefix}");
    }
    app.stop().await;
}

#[tokio::test]
async fn the_own_origin_of_sockets_is_the_address_that_the_client_used() {
    let app = app_with(behind_a_proxy(ForwardedHeader::XForwarded)).await;
    let session = app.open_session("alice").await;
    let bearer = format!("Bearer {}", app.token_of("alice"));
    let opens = async |headers: &[(&'static str, &str)]| {
        let headers: Vec<_> = headers.iter().copied().chain([("authorization", bearer.as_str())]).collect();
        TestSocket::try_open(&app.base, &session, "", &headers).await.err().unwrap_or(101)
    };
    let through = [("x-forwarded-proto", "https"), ("x-forwarded-host", "a.example")];
    for (origin, expected) in [
        ("https://a.example", 101),
        ("http://a.example", 403),
        ("https://a.example:8443", 403),
        ("https://evil.example", 403),
        (app.base.as_str(), 403),
    ] {
        assert_eq!(opens(&[through[0], through[1], ("origin", origin)]).await, expected, "{origin}");
    }
    // Of a proxy that names no scheme either will do.
    for (origin, expected) in [("https://a.example", 101), ("http://a.example", 101), ("https://evil.example", 403)] {
        assert_eq!(opens(&[through[1], ("origin", origin)]).await, expected, "{origin}");
    }
    app.stop().await;
}

#[tokio::test]
async fn headers_of_clients_that_are_no_trusted_proxy_change_nothing() {
    let app = TestApp::start(Store::Memory).await;
    let session = app.open_session("alice").await;
    let bearer = format!("Bearer {}", app.token_of("alice"));
    let request = app.request("alice", Method::POST, "/api/chat/sessions").json(&json!({}));
    let opened =
        send(request.header("x-forwarded-host", "evil.example").header("forwarded", "host=evil.example")).await;
    assert!(opened.header("location").starts_with(&app.base), "{opened:?}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("origin", "https://evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "https"),
    ];
    assert_eq!(TestSocket::try_open(&app.base, &session, "", &headers).await.err(), Some(403));
    app.stop().await;
}

#[tokio::test]
async fn malformed_headers_of_proxies_never_fail_a_request() {
    for header in [ForwardedHeader::XForwarded, ForwardedHeader::Standard] {
        let app = app_with(behind_a_proxy(header)).await;
        let long = "1.1.1.1, ".repeat(700);
        for value in [
            "",
            ",",
            "\"",
            "\"\\",
            ";;==",
            "for=",
            "for=\"[::1\"",
            "\u{e9}",
            "host=\"a b\"",
            &long,
            "unknown",
            "https,,",
        ] {
            for name in ["forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-prefix"]
            {
                let request = app.request("alice", Method::POST, "/api/chat/sessions").json(&json!({}));
                let answer = send(request.header(name, HeaderValue::from_bytes(value.as_bytes()).unwrap())).await;
                assert_eq!(answer.status, 201, "{name}: {value}: {answer:?}");
            }
        }
        app.stop().await;
    }
}

#[tokio::test]
async fn a_valid_request_id_is_taken_over_and_others_are_not() {
    let app = TestApp::start(Store::Memory).await;
    let longest = "x".repeat(128);
    for id in ["0b7f9c3e", "a", "~!\"#$%&'()*", longest.as_str()] {
        let answer = send(app.request("alice", Method::GET, "/nowhere").header("x-request-id", id)).await;
        assert_eq!(answer.header("x-request-id"), id);
        // The body has it too.
        answer.expect_error(404, "ROUTE_NOT_FOUND");
    }
    let too_long = "x".repeat(129);
    for id in ["", "a b", "a\tb", "\u{e9}", too_long.as_str()] {
        let header = HeaderValue::from_bytes(id.as_bytes()).unwrap();
        let answer = send(app.request("alice", Method::GET, "/nowhere").header("x-request-id", header)).await;
        assert_eq!(answer.header("x-request-id").len(), 36, "{id:?}");
    }
    let twice = app.request("alice", Method::GET, "/nowhere").header("x-request-id", "a").header("x-request-id", "b");
    assert_eq!(send(twice).await.header("x-request-id").len(), 36);
    app.stop().await;
}
