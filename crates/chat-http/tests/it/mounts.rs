//! Files and pages of another crate, at addresses beside the API.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse};
use chat_http::{AllowedOrigin, HomePage, HttpSettings, Mount, MountHandler, Mounts, ProxySettings, TrustedProxy};
use reqwest::Method;
use reqwest::header::HeaderValue;

use crate::documents::{PUBLIC_URL, get};
use crate::support::app::{Options, send};
use crate::support::{Store, TestApp};

/// Responds with the parameter of the address and the origin.
fn echo() -> MountHandler {
    Arc::new(|request: &HttpRequest, origin| match request.match_info().get("file") {
        Some("missing") => HttpResponse::NotFound().insert_header(("X-Test", "kept")).finish(),
        file => HttpResponse::Ok()
            .insert_header(("Cache-Control", "no-cache"))
            .insert_header(("Vary", "Accept-Encoding"))
            .insert_header(("Access-Control-Allow-Origin", "*"))
            .content_type("text/plain")
            .body(format!("{} at {}", file.unwrap_or("page"), origin.unwrap_or("an unknown origin"))),
    })
}

fn mounted(http: HttpSettings, home: Option<HomePage>) -> Options {
    let mounts = Mounts { routes: vec![Mount { path: "/files/{file}", handler: echo() }], home };
    Options { http, mounts, ..Options::default() }
}

#[tokio::test]
async fn a_mount_takes_get_and_head_alone_and_its_responses_are_finished_like_all() {
    let app = TestApp::with(Store::Memory, mounted(HttpSettings::default(), None)).await;
    for path in ["/files/a.js", "/files/a.js?v=2"] {
        let answer = get(&app, path, "*/*").await;
        answer.expect_status(200);
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert!(!answer.header("x-request-id").is_empty());
        assert_eq!(answer.header("cache-control"), "no-cache");
        assert_eq!(String::from_utf8(answer.bytes).unwrap(), format!("a.js at {}", app.base));
    }
    let head = send(app.anonymous(Method::HEAD, "/files/a.js")).await;
    assert_eq!((head.status.as_u16(), head.bytes.len()), (200, 0));
    assert_eq!(head.header("content-length"), format!("a.js at {}", app.base).len().to_string());
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let refused = send(app.anonymous(method, "/files/a.js")).await;
        assert_eq!(refused.header("allow"), "GET, HEAD");
        refused.expect_error(405, "METHOD_NOT_ALLOWED");
    }
    app.stop().await;
}

#[tokio::test]
async fn a_path_that_a_mount_does_not_have_is_an_unknown_address() {
    let app = TestApp::with(Store::Memory, mounted(HttpSettings::default(), None)).await;
    let missing = get(&app, "/files/missing", "*/*").await;
    assert_eq!(missing.header("x-test"), "kept");
    let unknown = get(&app, "/nothing", "*/*").await;
    let without_id = |mut body: serde_json::Value| {
        body["error"]["requestId"].take();
        body
    };
    assert_eq!(without_id(missing.expect(404)), without_id(unknown.expect(404)));
    app.stop().await;
}

#[tokio::test]
async fn a_mount_learns_the_origin_as_which_its_client_reaches_the_server() {
    let trusted = vec![TrustedProxy::parse("loopback").unwrap()];
    let http = HttpSettings {
        proxies: ProxySettings { trusted, ..ProxySettings::default() },
        public_url: Some(PUBLIC_URL.to_owned()),
        ..HttpSettings::default()
    };
    let app = TestApp::with(Store::Memory, mounted(http, None)).await;
    for (headers, expected) in [
        (&[("Host", "desk.example:8443")][..], "a at http://desk.example:8443"),
        (&[("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "shop.example")], "a at https://shop.example"),
        (&[("Host", "a b")], "a at an unknown origin"),
    ] {
        let request = headers.iter().fold(app.anonymous(Method::GET, "/files/a"), |request, (name, value)| {
            request.header(*name, HeaderValue::from_static(value))
        });
        let answer = send(request).await;
        assert_eq!(String::from_utf8(answer.bytes).unwrap(), expected);
    }
    app.stop().await;
}

#[tokio::test]
async fn files_for_every_page_stay_so_for_the_allowed_origins() {
    let origins = vec![AllowedOrigin::parse("https://shop.example").unwrap()];
    let app = TestApp::with(Store::Memory, mounted(HttpSettings { origins, ..HttpSettings::default() }, None)).await;
    for (origin, allowed) in [("https://shop.example", "https://shop.example"), ("https://other.example", "*")] {
        let answer = send(app.anonymous(Method::GET, "/files/a").header("Origin", origin)).await;
        answer.expect_status(200);
        assert_eq!(answer.header("access-control-allow-origin"), allowed);
        let vary: Vec<&str> = answer.headers.get_all("vary").iter().map(|value| value.to_str().unwrap()).collect();
        let vary = vary.join(", ").to_ascii_lowercase();
        assert!(vary.contains("accept-encoding") && vary.contains("origin"), "{vary}");
    }
    app.stop().await;
}

#[tokio::test]
async fn browsers_get_the_home_page_and_tools_the_documents() {
    let public = || HttpSettings { public_url: Some(PUBLIC_URL.to_owned()), ..HttpSettings::default() };
    for (http, expected) in
        [(HttpSettings::default(), "console"), (public(), "https://chat.example.com/support/console")]
    {
        let app = TestApp::with(Store::Memory, mounted(http, Some(HomePage::At("console")))).await;
        let answer = get(&app, "/", "text/html").await;
        answer.expect_status(302);
        assert_eq!((answer.header("location"), answer.header("vary")), (expected, "Accept"));
        assert_eq!(get(&app, "/", "*/*").await.expect(200)["name"], "Support chat");
        app.stop().await;
    }
    let app = TestApp::with(Store::Memory, mounted(HttpSettings::default(), Some(HomePage::Page(echo())))).await;
    let answer = get(&app, "/", "text/html").await;
    answer.expect_status(200);
    let vary: Vec<&str> = answer.headers.get_all("vary").iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!(vary, ["Accept-Encoding", "Accept"]);
    assert_eq!(String::from_utf8(answer.bytes).unwrap(), format!("page at {}", app.base));
    assert_eq!(get(&app, "/", "application/json").await.expect(200)["name"], "Support chat");
    app.stop().await;
}
