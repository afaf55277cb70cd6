//! Every operation refuses a query parameter that it does not have: a mistyped parameter would otherwise be ignored,
//! and the caller would take the response for what they asked for.

use chat_testkit::fixtures;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::app::send;
use crate::support::{Form, TestApp, TestSocket};

/// What a path's parameters are replaced by.
struct Ids {
    session: String,
    attachment: String,
    message: String,
    agent: String,
}

impl Ids {
    fn unknown() -> Self {
        let (session, attachment) = (fixtures::session_id(404).to_string(), fixtures::attachment_id(404).to_string());
        let message = fixtures::message_id(404).to_string();
        Self { session, attachment, message, agent: "unknown".to_owned() }
    }

    fn path(&self, path: &str) -> String {
        let path = path.replace("{sessionId}", &self.session).replace("{attachmentId}", &self.attachment);
        path.replace("{messageId}", &self.message).replace("{agentId}", &self.agent)
    }
}

async fn ids(app: &TestApp) -> Ids {
    let session = app.open_assigned("alice", "bob").await;
    let form = Form::new().file(0, "a.txt", "text/plain", b"a");
    let message = send(form.to(app, "alice", &session)).await.expect(201);
    let id = |id: &Value| id.as_str().unwrap().to_owned();
    let (attachment, message) = (id(&message["attachments"][0]["id"]), id(&message["id"]));
    Ids { session, attachment, message, agent: "bob".to_owned() }
}

/// With a body that every operation takes, or looks at only after the query.
fn with_body(request: RequestBuilder, method: &str) -> RequestBuilder {
    let body = json!({ "agentId": "bob", "content": "hello", "messageIds": [], "isTyping": true });
    if matches!(method, "POST" | "PUT") { request.json(&body) } else { request }
}

on_every_store! {
    async fn every_operation_refuses_an_unknown_query_parameter(app) {
        let ids = ids(app).await;
        let messages = format!("/api/chat/sessions/{}/messages", ids.session);
        let before = app.get("root", &messages).await;
        let routes = chat_http::routes();
        assert!(routes.len() >= 20, "{routes:?}");
        for route in routes {
            for query in ["nonsense=1", "nonsense", "Limit=1&nonsense=", "token=x&nonsense=y"] {
                let path = format!("{}?{query}", ids.path(route.path));
                // What an admin has not.
                let who = if route.path.ends_with("/me/availability") { "bob" } else { "root" };
                let request = app.request(who, route.method.parse().unwrap(), &path);
                let answer = send(with_body(request, &route.method)).await;
                assert_eq!(answer.status, 400, "{} {path}: {}", route.method, String::from_utf8_lossy(&answer.bytes));
                if route.method != "HEAD" {
                    answer.expect_invalid("nonsense");
                }
            }
        }
        let after = app.get("root", &messages).await;
        assert_eq!(after.header("x-chat-seq"), before.header("x-chat-seq"));
        let session = app.get("root", &format!("/api/chat/sessions/{}", ids.session)).await.expect(200);
        assert_eq!((&session["status"], &session["agentId"]), (&json!("active"), &json!("bob")));
        assert_eq!(app.get("root", "/api/chat/sessions").await.expect(200)["totalCount"], 1);
        assert_eq!(app.get("root", "/api/chat/agents").await.expect(200)["agents"][0]["active"], true);
    }

    async fn an_unknown_query_parameter_comes_after_401_404_and_403(app) {
        let (known, unknown) = (ids(app).await, Ids::unknown());
        for route in chat_http::routes() {
            let attempt = async |who: Option<&str>, ids: &Ids| {
                let (method, path): (Method, _) = (route.method.parse().unwrap(), ids.path(route.path) + "?nonsense=1");
                let request = match who {
                    Some(who) => app.request(who, method, &path),
                    None => app.anonymous(method, &path),
                };
                send(with_body(request, &route.method)).await.status.as_u16()
            };
            let is_about_one = route.path.contains('{');
            let needs_token = route.path.starts_with("/api/") || route.path.starts_with("/ws/");
            assert_eq!(attempt(None, &known).await, if needs_token { 401 } else { 400 }, "{route:?}");
            if is_about_one {
                assert_eq!(attempt(Some("mallory"), &known).await, 403, "{route:?}");
                // An agent is entered, and a person signed out or blocked, under any id.
                let is_entered = route.method == "PUT" && route.path == "/api/chat/agents/{agentId}";
                let takes_any = is_entered || route.path.starts_with("/api/chat/people/");
                assert_eq!(attempt(Some("root"), &unknown).await, if takes_any { 400 } else { 404 }, "{route:?}");
            }
        }
    }

    async fn a_socket_refuses_an_unknown_query_parameter(app) {
        let session = app.open_session("alice").await;
        let token = format!("Bearer {}", app.token_of("alice"));
        let extended = [("authorization", token.as_str()), ("sec-websocket-protocol", "chat.v1")];
        for headers in [&extended[..1], &extended] {
            for (query, status) in [("?nonsense=1", 400), ("?since=1&Epoch=x", 400), ("?seq=1", 400), ("?token=x", 400)] {
                let refused = TestSocket::try_open(&app.base, &session, query, headers).await;
                assert_eq!(refused.err(), Some(status), "{query}");
            }
            assert!(TestSocket::try_open(&app.base, &session, "?since=1", headers).await.is_ok());
        }
    }

    async fn the_refusal_lists_known_parameters_and_is_short(app) {
        let error = app.get("alice", "/api/chat/sessions?pag=2").await.expect_error(400, "VALIDATION_FAILED");
        let rule = "is no query parameter of this operation, which takes cursor, limit, page, status";
        assert_eq!(error["details"], json!([{ "field": "pag", "message": rule }]));
        let error = app.get("root", "/api/chat/stats?day=1").await.expect_error(400, "VALIDATION_FAILED");
        let rule = "is no query parameter of this operation, which takes none";
        assert_eq!(error["details"], json!([{ "field": "day", "message": rule }]));
        let many = (0..500).map(|number| format!("&{number}={number}")).collect::<Vec<_>>().concat();
        for query in [format!("a=1{many}"), format!("a=1{many}{many}"), format!("{}=1", "x".repeat(5_000))] {
            let answer = app.get("alice", &format!("/api/chat/sessions?{query}")).await;
            assert!(answer.bytes.len() < 4_096, "{} bytes", answer.bytes.len());
            answer.expect_error(400, "VALIDATION_FAILED");
        }
        // Each parameter is compared with those before it, so there are few of them.
        let error = app.get("alice", &format!("/api/chat/sessions?a=1{many}")).await.expect_error(400, "VALIDATION_FAILED");
        let details = error["details"].as_array().unwrap();
        assert!(details.contains(&json!({ "field": "query", "message": "must have at most 64 parameters" })), "{error}");
    }

    async fn an_upload_with_an_unknown_query_parameter_stores_nothing(app) {
        let session = app.open_session("alice").await;
        let path = format!("/api/chat/sessions/{session}/messages?nonsense=1");
        let form = reqwest::multipart::Part::bytes(b"receipt".to_vec()).file_name("receipt.txt");
        let form = reqwest::multipart::Form::new().part("attachments[0]", form);
        send(app.request("alice", Method::POST, &path).multipart(form)).await.expect_invalid("nonsense");
        assert_eq!(app.stored_files().await, 0);
    }
}
