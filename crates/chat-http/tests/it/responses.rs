//! What every answer has in common: headers, error bodies, methods.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::model::{
    Agent, AgentId, AgentStatus, AgentUpdate, DisplayName, Statistics, Timestamp, WaitingSessions,
};
use chat_domain::ports::{AgentDirectory, StatsReader};
use chat_domain::{ChatError, Result};
use chat_testkit::fixtures;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::app::{Options, send};
use crate::support::{Answer, Store, TestApp};

const POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

#[track_caller]
pub(crate) fn expect_common_headers(answer: &Answer) {
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{answer:?}");
    // A session with its version is not to be compressed either.
    let cache_control = answer.header("cache-control");
    assert!(["no-store", "no-store, no-transform"].contains(&cache_control), "{answer:?}");
    assert_eq!(answer.header("referrer-policy"), "no-referrer", "{answer:?}");
    assert!(!answer.header("x-request-id").is_empty(), "{answer:?}");
    for name in ["server", "x-powered-by", "set-cookie"] {
        assert!(!answer.headers.contains_key(name), "{name} in {answer:?}");
    }
    let is_json = answer.header("content-type").starts_with("application/json");
    assert_eq!(answer.header("content-security-policy"), if is_json { POLICY } else { "" }, "{answer:?}");
    assert!(is_json || answer.bytes.is_empty() || answer.bytes == b"ok\n", "{answer:?}");
}

on_every_store! {
    async fn every_response_has_the_security_headers_and_its_own_id(app) {
        let id = app.open_assigned("alice", "bob").await;
        let session = format!("/api/chat/sessions/{id}");
        let unknown = format!("/api/chat/sessions/{}", fixtures::session_id(404));
        let typing = json!({ "isTyping": true });
        let assign = json!({ "agentId": "bob" });
        let answers = [
            (200, app.get("alice", &session).await),
            (200, app.get("alice", &format!("{session}/messages")).await),
            (201, app.post("alice", "/api/chat/sessions", json!({})).await),
            (204, app.post("alice", &format!("{session}/typing"), typing).await),
            (400, app.get("alice", "/api/chat/sessions?page=0").await),
            (401, send(app.anonymous(Method::GET, &session)).await),
            (403, app.get("mallory", &session).await),
            (404, app.get("alice", &unknown).await),
            (404, app.get("alice", "/nowhere").await),
            (200, send(app.anonymous(Method::GET, "/")).await),
            (405, app.delete("alice", &session).await),
            (409, app.put("bob", &format!("{session}/assign"), assign).await),
            (426, app.get("alice", &format!("/ws/chat/{id}")).await),
            (200, send(app.anonymous(Method::GET, "/healthz")).await),
            (200, send(app.anonymous(Method::GET, "/readyz")).await),
        ];
        let mut ids = Vec::new();
        for (status, answer) in answers {
            answer.expect_status(status);
            expect_common_headers(&answer);
            ids.push(answer.header("x-request-id").to_owned());
            if status >= 400 {
                let code = answer.json()["error"]["code"].as_str().unwrap().to_owned();
                answer.expect_error(status, &code);
            }
        }
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count, "two requests share an id");
    }

    async fn an_error_body_has_these_fields_and_no_others(app) {
        let answer = app.get("alice", &format!("/api/chat/sessions/{}", fixtures::session_id(404))).await;
        let request_id = answer.header("x-request-id").to_owned();
        let expected = json!({
            "success": false,
            "message": "chat session not found",
            "error": {
                "code": "SESSION_NOT_FOUND", "message": "chat session not found", "details": [], "requestId": request_id,
            },
        });
        assert_eq!(answer.expect(404), expected);
        let answer = app.get("alice", "/api/chat/sessions?status=x").await;
        let message = "status must be active or closed";
        let expected = json!({
            "success": false,
            "message": message,
            "error": {
                "code": "VALIDATION_FAILED", "message": message,
                "details": [{ "field": "status", "message": "must be active or closed" }],
                "requestId": answer.header("x-request-id"),
            },
        });
        assert_eq!(answer.expect(400), expected);
    }

    async fn an_address_refuses_other_methods_and_lists_its_own(app) {
        let mut methods: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for route in chat_http::routes() {
            methods.entry(route.path).or_default().push(route.method);
        }
        for (path, mut allowed) in methods {
            // Which goes with GET, except for the socket.
            let get = allowed.iter().position(|method| method == "GET");
            if let Some(get) = get && !allowed.iter().any(|method| method == "HEAD") && !path.starts_with("/ws/") {
                allowed.insert(get + 1, "HEAD".to_owned());
            }
            let path = path.replace("{sessionId}", &fixtures::session_id(404).to_string());
            let path = path.replace("{attachmentId}", "x").replace("{agentId}", "x");
            for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "PROPFIND", "get"] {
                if allowed.iter().any(|known| known == method) {
                    continue;
                }
                // A token does not matter: the address does not take the method.
                for request in [app.anonymous(method.parse().unwrap(), &path), app.request("root", method.parse().unwrap(), &path)] {
                    let answer = send(request).await;
                    assert_eq!(answer.header("allow"), allowed.join(", "), "{method} {path}");
                    answer.expect_error(405, "METHOD_NOT_ALLOWED");
                }
            }
        }
    }

    async fn an_unknown_address_is_an_error_in_the_usual_form(app) {
        for path in ["/api", "/api/chat", "/api/chat/sessions/", "/api/chat/session", "/API/CHAT/SESSIONS", "//healthz"] {
            for method in [Method::GET, Method::POST, Method::DELETE] {
                send(app.anonymous(method, path)).await.expect_error(404, "ROUTE_NOT_FOUND");
            }
        }
    }
}

/// Sends bytes and reads until the server closes, which the request asks for.
async fn raw(app: &TestApp, request: &str) -> String {
    let mut stream = TcpStream::connect(app.base.strip_prefix("http://").unwrap()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap().to_ascii_lowercase()
}

#[tokio::test]
async fn trace_and_connect_are_refused_everywhere() {
    let app = TestApp::start(Store::Memory).await;
    let targets = [
        "TRACE / ",
        "TRACE /nowhere ",
        "TRACE /healthz ",
        "TRACE /api/chat/sessions ",
        "TRACE /docs/ ",
        "CONNECT / ",
        "CONNECT /api/chat/sessions ",
        "CONNECT example.com:443 ",
        "CONNECT 127.0.0.1:22 ",
    ];
    for target in targets {
        let request = format!("{target}HTTP/1.1\r\nHost: chat\r\nX-Canary: canary\r\nConnection: close\r\n\r\n");
        let answer = raw(&app, &request).await;
        assert!(answer.starts_with("http/1.1 405 "), "{target}: {answer}");
        assert!(answer.contains("\r\nallow: "), "{target}: {answer}");
        assert!(answer.contains("\"method_not_allowed\""), "{target}: {answer}");
        assert!(!answer.contains("canary"), "{target} echoes the request: {answer}");
    }
    app.stop().await;
}

/// What must never reach a caller.
const CANARY: &str = "canary: SELECT * FROM chat_sessions at /var/lib/chat/chat.db, token eyJhbGciOi";

/// Adapters whose every call fails.
struct OutOfOrder;

#[async_trait]
impl StatsReader for OutOfOrder {
    async fn read(&self) -> Result<Statistics> {
        Err(ChatError::internal(CANARY))
    }

    async fn waiting(&self) -> Result<WaitingSessions> {
        Err(ChatError::internal(CANARY))
    }
}

#[async_trait]
impl AgentDirectory for OutOfOrder {
    async fn find(&self, _: &AgentId) -> Result<Option<Agent>> {
        Err(ChatError::unavailable(CANARY))
    }

    async fn deactivated_among(&self, _: Vec<AgentId>) -> Result<Vec<AgentId>> {
        Err(ChatError::unavailable(CANARY))
    }

    async fn list(&self) -> Result<Vec<Agent>> {
        Err(ChatError::unavailable(CANARY))
    }

    async fn put(&self, _: AgentId, _: AgentUpdate, _: Timestamp) -> Result<(Agent, bool)> {
        Err(ChatError::unavailable(CANARY))
    }

    async fn register(&self, _: AgentId, _: Option<DisplayName>, _: Timestamp) -> Result<Agent> {
        Err(ChatError::unavailable(CANARY))
    }

    async fn deactivate(&self, _: &AgentId) -> Result<Option<Agent>> {
        Err(ChatError::internal(CANARY))
    }

    async fn set_status(&self, _: &AgentId, _: AgentStatus) -> Result<Option<Agent>> {
        Err(ChatError::internal(CANARY))
    }
}

/// The body of a failure on our side, without the request's id.
#[track_caller]
fn failure(answer: Answer, status: u16, code: &str) -> Value {
    expect_common_headers(&answer);
    let mut body = answer.json();
    answer.expect_error(status, code);
    body["error"]["requestId"] = json!("");
    body
}

#[tokio::test]
async fn an_internal_error_shows_only_the_request_id() {
    let options = Options {
        replace_ports: Some(|mut ports| {
            ports.stats = Arc::new(OutOfOrder);
            ports.agents = Arc::new(OutOfOrder);
            ports
        }),
        ..Options::default()
    };
    let app = TestApp::with(Store::Memory, options).await;
    let message = "something went wrong on our side";
    let expected = json!({
        "success": false, "message": message,
        "error": { "code": "INTERNAL", "message": message, "details": [], "requestId": "" },
    });
    assert_eq!(failure(app.get("root", "/api/chat/stats").await, 500, "INTERNAL"), expected);
    assert_eq!(failure(app.delete("root", "/api/chat/agents/bob").await, 500, "INTERNAL"), expected);
    let busy = app.get("root", "/api/chat/agents").await;
    assert_eq!(busy.header("retry-after"), "1");
    let message = "the service is busy; try again later";
    let expected = json!({
        "success": false, "message": message,
        "error": { "code": "UNAVAILABLE", "message": message, "details": [], "requestId": "" },
    });
    assert_eq!(failure(busy, 503, "UNAVAILABLE"), expected);
    // A caller who cannot be let in because the directory is out of reach is not let in.
    assert_eq!(failure(app.get("bob", "/api/chat/sessions").await, 503, "UNAVAILABLE"), expected);
    app.stop().await;
}
