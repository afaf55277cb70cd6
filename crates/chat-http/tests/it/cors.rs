//! Which pages of other origins may use the API from a browser.

use chat_http::{AllowedOrigin, HttpSettings};
use reqwest::Method;

use crate::responses::expect_common_headers;
use crate::support::app::{Options, send};
use crate::support::{Answer, Store, TestApp, TestSocket};

const SHOP: &str = "https://shop.example.com";
const EXTENSION: &str = "chrome-extension://abcdefghijklmnopabcdefghijklmnop";
const ORIGINS: [&str; 7] = [
    SHOP,
    "https://*.preview.example.com",
    "capacitor://localhost",
    "ionic://localhost",
    "tauri://localhost",
    "app://desk",
    EXTENSION,
];

async fn app_for_a_shop() -> TestApp {
    let origins = ORIGINS.map(|origin| AllowedOrigin::parse(origin).unwrap()).to_vec();
    let http = HttpSettings { origins, ..HttpSettings::default() };
    TestApp::with(Store::Memory, Options { http, ..Options::default() }).await
}

/// The names in a list header, in lower case and sorted.
fn names(list: &str) -> Vec<String> {
    let mut names: Vec<String> = list.split(',').map(|name| name.trim().to_ascii_lowercase()).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn a_page_of_a_known_origin_may_read_answers_errors_included() {
    let app = app_for_a_shop().await;
    let list = app.request("alice", Method::GET, "/api/chat/sessions").header("Origin", SHOP);
    let refused = app.anonymous(Method::GET, "/api/chat/sessions").header("Origin", SHOP);
    let lost = app.anonymous(Method::GET, "/nowhere").header("Origin", SHOP);
    for (request, status) in [(list, 200), (refused, 401), (lost, 404)] {
        let answer = send(request).await;
        answer.expect_status(status);
        assert_eq!(answer.header("access-control-allow-origin"), SHOP);
        assert!(!answer.headers.contains_key("access-control-allow-credentials"));
        let exposed = names(answer.header("access-control-expose-headers"));
        let expected = [
            "content-disposition",
            "content-range",
            "etag",
            "idempotency-replayed",
            "location",
            "ratelimit",
            "ratelimit-policy",
            "retry-after",
            "x-chat-seq",
            "x-request-id",
        ];
        assert_eq!(exposed, expected);
        let vary: Vec<_> = answer.headers.get_all("vary").iter().map(|value| value.to_str().unwrap()).collect();
        assert!(names(&vary.join(",")).contains(&"origin".to_owned()), "{vary:?}");
        expect_common_headers(&answer);
    }
    app.stop().await;
}

#[tokio::test]
async fn a_page_of_a_known_origin_may_send_any_header() {
    let app = app_for_a_shop().await;
    for headers in [
        "authorization, content-type, idempotency-key, range, if-none-match",
        "traceparent,tracestate,sentry-trace,baggage",
        "X-Requested-With",
        "x-anything-at-all",
    ] {
        let request = app.anonymous(Method::OPTIONS, "/api/chat/sessions").header("Origin", SHOP);
        let request = request.header("Access-Control-Request-Method", "POST");
        let answer = send(request.header("Access-Control-Request-Headers", headers)).await;
        answer.expect_status(200);
        assert_eq!(answer.header("access-control-allow-origin"), SHOP);
        assert_eq!(
            names(answer.header("access-control-allow-methods")),
            ["delete", "get", "head", "patch", "post", "put"]
        );
        assert_eq!(names(answer.header("access-control-allow-headers")), names(headers));
        assert!(!answer.headers.contains_key("access-control-allow-credentials"));
        expect_common_headers(&answer);
    }
    app.stop().await;
}

#[tokio::test]
async fn a_page_of_any_other_origin_gets_no_permission() {
    let with_list = app_for_a_shop().await;
    let without_list = TestApp::start(Store::Memory).await;
    let foreign = [
        "https://evil.example",
        "null",
        "http://shop.example.com",
        "https://shop.example.com:8443",
        "https://shop.example.com.evil.example",
        "https://sub.shop.example.com",
        "https://SHOP.example.com.",
        "*",
        "https://preview.example.com",
        "https://*.preview.example.com",
        "https://a.b.preview.example.com",
        "https://evil.example/.preview.example.com",
        "https://evil.example?.preview.example.com",
        "https://x.preview.example.com.evil.example",
        "https://xpreview.example.com",
        "http://x.preview.example.com",
        "https://x.preview.example.com:8443",
        "capacitor://localhost.evil.example",
        "https://localhost",
        "app://desk2",
        "chrome-extension://abcdefghijklmnopabcdefghijklmnoo",
    ];
    for app in [&with_list, &without_list] {
        for origin in foreign {
            let simple = app.request("alice", Method::GET, "/api/chat/sessions").header("Origin", origin);
            let preflight = app.anonymous(Method::OPTIONS, "/api/chat/sessions").header("Origin", origin);
            let preflight = preflight.header("Access-Control-Request-Method", "POST");
            for answer in [send(simple).await, send(preflight).await] {
                let permissions = answer.headers.keys().any(|name| name.as_str() == "access-control-allow-origin");
                assert!(!permissions, "{origin}: {answer:?}");
                assert!(!answer.headers.contains_key("access-control-allow-credentials"), "{origin}: {answer:?}");
            }
        }
        // The browser keeps foreign pages out; the API serves every request with a token.
        let request = app.request("alice", Method::GET, "/api/chat/sessions").header("Origin", "https://evil.example");
        send(request).await.expect(200);
    }
    with_list.stop().await;
    without_list.stop().await;
}

/// What a page of the origin gets: whether it may call the API, whether its preflight passes, and whether it may open a
/// socket.
async fn permissions(app: &TestApp, session: &str, origin: &str) -> [bool; 3] {
    let simple = send(app.request("alice", Method::GET, "/api/chat/sessions").header("Origin", origin)).await;
    let preflight = app.anonymous(Method::OPTIONS, "/api/chat/sessions").header("Origin", origin);
    let preflight = preflight.header("Access-Control-Request-Method", "POST");
    let preflight = send(preflight.header("Access-Control-Request-Headers", "x-any")).await;
    let token = format!("Bearer {}", app.token_of("alice"));
    let headers = [("authorization", token.as_str()), ("origin", origin)];
    let socket = TestSocket::try_open(&app.base, session, "", &headers).await;
    let allowed = |answer: &Answer| answer.header("access-control-allow-origin") == origin;
    [allowed(&simple), allowed(&preflight), socket.is_ok()]
}

#[tokio::test]
async fn listed_apps_and_previews_may_call_and_watch_others_may_not() {
    let app = app_for_a_shop().await;
    let session = app.open_session("alice").await;
    for origin in [
        SHOP,
        "https://pr-17.preview.example.com",
        "https://main.preview.example.com",
        "capacitor://localhost",
        "ionic://localhost",
        "tauri://localhost",
        "app://desk",
        EXTENSION,
    ] {
        assert_eq!(permissions(&app, &session, origin).await, [true; 3], "{origin}");
    }
    for origin in [
        "null",
        "https://preview.example.com",
        "https://a.b.preview.example.com",
        "https://evil.example/.preview.example.com",
        "https://x.preview.example.com.evil.example",
        "http://x.preview.example.com",
        "capacitor://localhost.evil.example",
        "tauri://localhost:1420",
        "app://desk2",
        "chrome-extension://abcdefghijklmnopabcdefghijklmnoo",
    ] {
        assert_eq!(permissions(&app, &session, origin).await, [false; 3], "{origin}");
    }
    app.stop().await;
}
