//! Who may have a file.

use chat_testkit::fixtures;
use reqwest::Method;
use serde_json::json;

use super::{ask, stored};
use crate::support::TestApp;
use crate::support::app::send;

async fn status_for(app: &TestApp, who: &str, path: &str) -> u16 {
    app.get(who, path).await.status.as_u16()
}

on_every_store! {
    async fn a_file_belongs_to_those_who_see_its_session(app) {
        let session = app.open_session("alice").await;
        let path = stored(app, &session, "a.txt", "text/plain", b"hello").await;
        for (who, status) in [("alice", 200), ("root", 200), ("bob", 200), ("mallory", 403)] {
            assert_eq!(status_for(app, who, &path).await, status, "{who}, waiting");
        }
        app.put("bob", &format!("/api/chat/sessions/{session}/assign"), json!({ "agentId": "bob" })).await.expect(200);
        for (who, status) in [("alice", 200), ("root", 200), ("bob", 200), ("carol", 403)] {
            assert_eq!(status_for(app, who, &path).await, status, "{who}, assigned to bob");
        }
        let transfer = format!("/api/chat/sessions/{session}/transfer");
        app.put("bob", &transfer, json!({ "agentId": "carol" })).await.expect(200);
        for (who, status) in [("alice", 200), ("bob", 403), ("carol", 200)] {
            assert_eq!(status_for(app, who, &path).await, status, "{who}, transferred to carol");
        }
        app.put("alice", &format!("/api/chat/sessions/{session}/close"), json!(null)).await.expect(200);
        for (who, status) in [("alice", 200), ("bob", 403), ("carol", 200), ("root", 200), ("mallory", 403)] {
            assert_eq!(status_for(app, who, &path).await, status, "{who}, closed");
        }
        app.delete("root", "/api/chat/agents/carol").await.expect(200);
        app.get("carol", &path).await.expect_error(403, "AGENT_DEACTIVATED");
    }

    async fn no_header_and_no_method_opens_a_foreign_file(app) {
        let session = app.open_session("alice").await;
        let path = stored(app, &session, "a.txt", "text/plain", b"hello").await;
        let tag = app.get("alice", &path).await.header("etag").to_owned();
        let headers = [
            ("accept", "*/*"), ("range", "bytes=0-0"), ("range", "bytes=99-"), ("if-none-match", "*"),
            ("if-none-match", &tag), ("if-range", &tag), ("if-modified-since", "Sat, 31 Jan 2026 09:05:00 GMT"),
        ];
        for header in headers {
            let refused = ask(app, "mallory", Method::GET, &path, header).await;
            assert_eq!(refused.header("etag"), "", "{header:?}");
            assert_eq!(refused.header("content-range"), "", "{header:?}");
            assert_eq!(refused.header("content-disposition"), "", "{header:?}");
            refused.expect_error(403, "FORBIDDEN");
            let refused = ask(app, "mallory", Method::HEAD, &path, header).await;
            assert_eq!((refused.status.as_u16(), refused.header("etag")), (403, ""), "{header:?}");
        }
    }

    async fn without_a_token_there_is_no_file(app) {
        let session = app.open_session("alice").await;
        let path = stored(app, &session, "a.txt", "text/plain", b"hello").await;
        for path in [path.clone(), format!("{path}?token={}", app.token_of("alice"))] {
            let answer = send(app.anonymous(Method::GET, &path)).await;
            assert_eq!(answer.header("www-authenticate"), "Bearer");
            answer.expect_error(401, "UNAUTHENTICATED");
        }
    }

    async fn an_id_of_nothing_is_not_found(app) {
        let session = app.open_session("alice").await;
        for id in [&fixtures::attachment_id(9).to_string(), &session, "1", "not-an-id", "%00", "..%2f..%2fchat.db"] {
            let path = format!("/api/chat/attachments/{id}");
            app.get("alice", &path).await.expect_error(404, "ATTACHMENT_NOT_FOUND");
            assert_eq!(send(app.request("root", Method::HEAD, &path)).await.status, 404, "{id}");
        }
    }

    async fn other_methods_are_not_allowed(app) {
        let session = app.open_session("alice").await;
        let path = stored(app, &session, "a.txt", "text/plain", b"hello").await;
        for method in [Method::PUT, Method::POST, Method::PATCH] {
            let answer = send(app.request("alice", method, &path)).await;
            assert_eq!(answer.header("allow"), "GET, HEAD, DELETE");
            answer.expect_error(405, "METHOD_NOT_ALLOWED");
        }
        assert_eq!(status_for(app, "alice", &path).await, 200);
    }
}
