//! `/console` and the page at `/`.

use chat_web::{WebFiles, WebHome, WebOrigin, WebSettings, WebSite};

use crate::support::{development, files, get, settings};

#[actix_web::test]
async fn the_console_runs_nothing_but_its_own_files_and_is_in_no_frame() {
    let public_url = Some("https://chat.example/support".to_owned());
    let avatar_origins = vec![WebOrigin::parse("https://pictures.example").unwrap()];
    let page = get(&WebSettings { public_url, avatar_origins, ..settings() }, "/console", &[]).await;
    assert_eq!(page.status, 200);
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-cache"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("x-content-type-options", "nosniff"),
        ("access-control-allow-origin", ""),
    ] {
        assert_eq!(page.header(name), value, "{name}");
    }
    assert!(page.header("permissions-policy").contains("camera=()"));
    for (directive, sources) in [
        ("default-src", "'none'"),
        ("base-uri", "'none'"),
        ("form-action", "'none'"),
        ("frame-ancestors", "'none'"),
        ("script-src", "'self'"),
        ("style-src", "'self'"),
        ("connect-src", "'self' ws://localhost:8080 https://chat.example wss://chat.example"),
        ("img-src", "'self' blob: https://chat.example https://pictures.example"),
        ("require-trusted-types-for", "'script'"),
    ] {
        assert_eq!(page.directive(directive), sources, "{directive}");
    }
    assert!(!page.header("content-security-policy").contains("unsafe"));
    let again = get(&settings(), "/console", &[("if-none-match", page.header("etag"))]).await;
    assert_eq!(again.status, 304);
    assert_eq!(again.directive("frame-ancestors"), "'none'");
}

#[actix_web::test]
async fn the_consoles_address_has_no_slash_at_its_end() {
    let moved = get(&settings(), "/console/", &[]).await;
    assert_eq!((moved.status.as_u16(), moved.header("location")), (308, "../console"));
}

#[actix_web::test]
async fn without_the_console_there_is_nothing_of_it() {
    let off = WebSettings { console: false, ..settings() };
    for path in ["/console", "/console/", "/console/development-people"] {
        assert_eq!(get(&off, path, &[]).await.status, 404, "{path}");
    }
    assert!(WebSite::new(&files(), &off).home.is_none());
}

#[test]
fn the_demo_is_at_home_in_development_mode_and_the_console_otherwise() {
    let home = |settings: &WebSettings| WebSite::new(&files(), settings).home;
    assert!(matches!(home(&development()), Some(WebHome::Page(_))));
    assert!(matches!(home(&settings()), Some(WebHome::At("console"))));
    // The demo shows the widget and the console.
    let without_widget = WebSettings { widget: false, ..development() };
    assert!(matches!(home(&without_widget), Some(WebHome::At("console"))));
    assert!(home(&WebSettings { console: false, ..development() }).is_none());
}

#[actix_web::test]
async fn the_demo_has_the_headers_of_a_page() {
    let page = get(&development(), "/", &[]).await;
    assert_eq!((page.status.as_u16(), page.header("x-frame-options")), (200, "DENY"));
    assert_eq!(page.directive("connect-src"), "'self' ws://localhost:8080");
}

#[test]
fn a_page_that_is_not_built_has_no_address() {
    let none = WebFiles::new(Vec::new(), "0");
    for settings in [settings(), development()] {
        let site = WebSite::new(&none, &settings);
        assert!(site.routes.is_empty() && site.home.is_none());
    }
}
