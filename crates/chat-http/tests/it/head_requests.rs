//! `HEAD` on addresses that take `GET`.

use reqwest::Method;

use crate::support::app::send;

on_every_store! {
    async fn head_returns_what_get_does_without_the_body(app) {
        let session = app.open_session("alice").await;
        let open = ["/", "/healthz", "/readyz", "/openapi.json", "/asyncapi.json", "/docs/"].map(str::to_owned);
        let api = [
            "/api/chat/sessions".to_owned(),
            format!("/api/chat/sessions/{session}"),
            format!("/api/chat/sessions/{session}/messages"),
            "/api/chat/agents".to_owned(),
            "/api/chat/stats".to_owned(),
        ];
        for path in open.iter().chain(&api) {
            let who = if path.starts_with("/api/chat/") { "root" } else { "" };
            let request = |method| {
                if who.is_empty() { app.anonymous(method, path) } else { app.request(who, method, path) }
            };
            let get = send(request(Method::GET)).await;
            let head = send(request(Method::HEAD)).await;
            assert_eq!(head.status, get.status, "{path}");
            assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
            assert_eq!(head.header("content-length"), get.bytes.len().to_string(), "{path}");
            assert!(head.bytes.is_empty(), "{path}");
        }
    }

    async fn other_methods_on_the_documentation_are_refused_with_those_it_takes(app) {
        for path in ["/docs", "/docs/", "/docs/page.js", "/healthz"] {
            let refused = send(app.anonymous(Method::POST, path)).await;
            assert_eq!(refused.header("allow"), "GET, HEAD", "{path}");
            refused.expect(405);
        }
    }

    async fn the_documentation_takes_no_query(app) {
        for path in ["/docs?x=1", "/docs/?x=1", "/docs/page.js?x=1"] {
            send(app.anonymous(Method::GET, path)).await.expect(400);
        }
    }
}
