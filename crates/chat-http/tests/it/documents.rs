//! What the service shows of itself: the documents, and the page for people.

use chat_http::HttpSettings;
use reqwest::{Method, redirect};
use serde_json::Value;

use crate::support::app::{Options, send};
use crate::support::{Answer, Store, TestApp};

pub(crate) const PUBLIC_URL: &str = "https://chat.example.com/support";

pub(crate) async fn app_behind_a_proxy() -> TestApp {
    let http = HttpSettings { public_url: Some(PUBLIC_URL.to_owned()), ..HttpSettings::default() };
    TestApp::with(Store::Memory, Options { http, ..Options::default() }).await
}

/// What the server itself returns, without following it elsewhere.
pub(crate) async fn get(app: &TestApp, path: &str, accept: &str) -> Answer {
    let client = reqwest::Client::builder().no_proxy().redirect(redirect::Policy::none()).build().unwrap();
    let request = client.get(format!("{}{path}", app.base)).header("Accept", accept);
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn the_api_document_names_the_server_that_clients_reach() {
    let app = TestApp::start(Store::Memory).await;
    let answer = send(app.anonymous(Method::GET, "/openapi.json")).await;
    assert_eq!(answer.header("content-type"), "application/json");
    let served: Value = answer.expect(200);
    let expected: Value = serde_json::from_str(&chat_http::openapi_json(None)).unwrap();
    assert_eq!(served, expected);
    assert_eq!(served["servers"][0]["url"], "/");
    app.stop().await;
    let app = app_behind_a_proxy().await;
    let served = send(app.anonymous(Method::GET, "/openapi.json")).await.expect(200);
    assert_eq!(served["servers"][0]["url"], PUBLIC_URL);
    let served = send(app.anonymous(Method::GET, "/asyncapi.json")).await.expect(200);
    assert_eq!(served["servers"]["server"]["pathname"], "/support");
    app.stop().await;
}

/// The addresses in the attributes of a page.
fn references(html: &str) -> Vec<&str> {
    let after = |name: &'static str| html.split(name).skip(1).filter_map(|rest| rest.split('"').next());
    after("src=\"").chain(after("href=\"")).collect()
}

/// What runs or is drawn without being a file of its own, which the policy forbids.
fn inline_parts(html: &str) -> Vec<&str> {
    let inline = ["<style", " style=", " onload=", " onclick=", " onerror=", "javascript:"];
    let scripts = html.split("<script").skip(1).filter(|rest| !rest.trim_start().starts_with("src="));
    inline.into_iter().filter(|part| html.contains(part)).chain(scripts).collect()
}

#[tokio::test]
async fn the_docs_work_under_any_path_and_load_nothing_from_elsewhere() {
    for app in [TestApp::start(Store::Memory).await, app_behind_a_proxy().await] {
        let moved = get(&app, "/docs", "text/html").await;
        moved.expect_status(308);
        assert_eq!(moved.header("location"), "docs/");
        let page = get(&app, "/docs/", "text/html").await;
        page.expect_status(200);
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        let head = send(app.anonymous(Method::HEAD, "/docs/")).await;
        assert_eq!((head.status.as_u16(), head.bytes.len()), (200, 0));
        let html = String::from_utf8(page.bytes).unwrap();
        assert_eq!(inline_parts(&html), Vec::<&str>::new());
        let references = references(&html);
        assert!(references.len() >= 5, "{html}");
        for reference in references {
            // Neither of another server nor of the root of this one, which may belong to something else.
            assert!(!reference.contains(':') && !reference.starts_with('/'), "the page asks for {reference}");
            let part = get(&app, &format!("/docs/{reference}"), "*/*").await;
            part.expect_status(200);
            assert!(!part.bytes.is_empty(), "{reference} is empty");
            assert_eq!(part.header("x-content-type-options"), "nosniff");
        }
        let script = get(&app, "/docs/page.js", "*/*").await;
        let script = String::from_utf8(script.bytes).unwrap();
        assert!(script.contains("\"../openapi.json\"") && !script.contains("://"), "{script}");
        app.stop().await;
    }
}

#[tokio::test]
async fn the_docs_run_no_scripts_but_their_own() {
    for (app, connect) in [
        (TestApp::start(Store::Memory).await, "connect-src 'self'"),
        (app_behind_a_proxy().await, "connect-src 'self' https://chat.example.com"),
    ] {
        for part in ["", "page.js", "swagger-ui-bundle.js", "swagger-ui.css"] {
            let answer = get(&app, &format!("/docs/{part}"), "*/*").await;
            let policy = answer.header("content-security-policy");
            let directives: Vec<&str> = policy.split("; ").collect();
            for directive in [
                "default-src 'none'",
                "script-src 'self'",
                "style-src 'self'",
                "frame-ancestors 'none'",
                "base-uri 'none'",
                "form-action 'none'",
                connect,
            ] {
                assert!(directives.contains(&directive), "{directive} is not in {policy}");
            }
            assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
        }
        app.stop().await;
    }
}

#[tokio::test]
async fn files_of_the_docs_that_a_browser_has_are_not_sent_again() {
    let app = TestApp::start(Store::Memory).await;
    let first = get(&app, "/docs/swagger-ui-bundle.js", "*/*").await;
    assert_eq!(first.header("cache-control"), "no-cache");
    let again = app.anonymous(Method::GET, "/docs/swagger-ui-bundle.js").header("If-None-Match", first.header("etag"));
    let again = send(again).await;
    again.expect_status(304);
    assert!(again.bytes.is_empty());
    let other = app.anonymous(Method::GET, "/docs/page.js").header("If-None-Match", first.header("etag"));
    send(other).await.expect_status(200);
    app.stop().await;
}

#[tokio::test]
async fn a_missing_file_of_the_docs_is_an_error_in_the_usual_form() {
    let app = TestApp::start(Store::Memory).await;
    for path in ["/docs/nope", "/docs/../Cargo.toml", "/docs/index.html", "/docs/swagger-initializer.js"] {
        send(app.anonymous(Method::GET, path)).await.expect_error(404, "ROUTE_NOT_FOUND");
    }
    app.stop().await;
}
