//! Requests that came through a proxy, in development mode and otherwise

use chat_http::HttpSettings;
use reqwest::Method;

use crate::support::app::{Options, send};
use crate::support::{Store, TestApp, TestSocket};

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
async fn in_development_mode_what_came_through_a_proxy_is_refused_with_the_remedy() {
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
async fn with_a_key_of_the_operators_proxies_are_welcome() {
    let app = TestApp::start(Store::Memory).await;
    for header in ADDED {
        send(app.request("alice", Method::GET, "/api/chat/sessions").header(header, "192.0.2.1")).await.expect(200);
    }
    app.stop().await;
}
