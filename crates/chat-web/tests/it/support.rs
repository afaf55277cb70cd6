//! A site in an application of actix-web, asked without a network.

use std::sync::Arc;

use actix_web::body::MessageBody;
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::test::TestRequest;
use actix_web::web::{self, Bytes};
use actix_web::{App, HttpRequest, Route, test};
use chat_web::{DevelopmentPerson, WebFile, WebFiles, WebHandler, WebHome, WebSettings, WebSite};

pub(crate) const HASH: &str = "0123456789abcdef";
/// As which the clients of the tests reach the server.
pub(crate) const ORIGIN: &str = "http://localhost:8080";

/// Files of every part, whose variants say what they are.
pub(crate) fn files() -> WebFiles {
    let file = |part, name, is_entry| WebFile {
        part,
        name,
        is_entry,
        tag: name,
        plain: Bytes::from_static(b"plain"),
        br: Some(Bytes::from_static(b"br")),
        gzip: Some(Bytes::from_static(b"gzip")),
    };
    let files = vec![
        file("client", "client.js", true),
        file("widget", "widget.js", true),
        file("widget", "panel.js", false),
        file("console", "index.html", true),
        file("console", "main.js", false),
        WebFile { br: None, gzip: None, ..file("console", "picture.png", false) },
        file("demo", "index.html", true),
        file("demo", "main.css", false),
    ];
    WebFiles::new(files, HASH)
}

/// Everything on, as in production.
pub(crate) fn settings() -> WebSettings {
    WebSettings { console: true, widget: true, ..WebSettings::default() }
}

/// Everything on, in development mode.
pub(crate) fn development() -> WebSettings {
    let people = || {
        let person = |(id, role): (&str, &str)| DevelopmentPerson {
            id: id.to_owned(),
            role: role.to_owned(),
            token: format!("token of {id}"),
        };
        Some([("alice", "user"), ("bob", "agent")].map(person).into())
    };
    WebSettings { people: Some(Arc::new(people)), ..settings() }
}

/// A response.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Received {
    /// The value of a header, empty if it is missing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The sources of a directive of the policy.
    pub(crate) fn directive(&self, name: &str) -> &str {
        let policy = self.header("content-security-policy");
        let found = policy.split("; ").find_map(|directive| directive.strip_prefix(name)?.strip_prefix(' '));
        found.unwrap_or_else(|| panic!("{name} is not in {policy:?}"))
    }
}

fn route(handler: WebHandler) -> Route {
    web::get().to(move |request: HttpRequest| {
        let response = handler(&request, Some(ORIGIN));
        async move { response }
    })
}

/// Sends a request to the site of the fixture, in whose application its page is at `/`.
pub(crate) async fn send(settings: &WebSettings, request: TestRequest) -> Received {
    let WebSite { routes, home } = WebSite::new(&files(), settings);
    let mut app = App::new();
    for served in routes {
        app = app.route(served.path, route(served.handler));
    }
    if let Some(WebHome::Page(handler)) = home {
        app = app.route("/", route(handler));
    }
    let service = test::init_service(app).await;
    let response = test::call_service(&service, request.to_request()).await;
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.into_body().try_into_bytes().unwrap_or_default();
    Received { status, headers, body }
}

/// `GET` with these headers.
pub(crate) async fn get(settings: &WebSettings, path: &str, headers: &[(&str, &str)]) -> Received {
    let request = TestRequest::with_uri(path);
    send(settings, headers.iter().fold(request, |request, header| request.append_header(*header))).await
}
