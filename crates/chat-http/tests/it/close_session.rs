//! `PUT /api/chat/sessions/{sessionId}/close`

use chat_testkit::fixtures;
use futures_util::future::{join, join_all};
use reqwest::Method;
use serde_json::json;

use crate::support::app::send;

on_every_store! {
    async fn a_closed_session_keeps_its_content_and_has_an_end_time(app) {
        let body = json!({ "subject": "late", "tags": ["orders"] });
        let opened = app.post("alice", "/api/chat/sessions", body).await.expect(201);
        let path = format!("/api/chat/sessions/{}", opened["id"].as_str().unwrap());
        app.put("bob", &format!("{path}/assign"), json!({ "agentId": "bob" })).await.expect(200);
        // The contract has no body here, so none is needed.
        let closed = send(app.request("alice", Method::PUT, &format!("{path}/close"))).await.expect(200);
        let expected = json!({
            "id": opened["id"], "userId": "alice", "agentId": "bob", "status": "closed",
            "user": { "id": "alice" }, "agent": { "id": "bob" },
            "startedAt": opened["startedAt"], "endedAt": closed["endedAt"],
            "subject": "late", "priority": "medium", "tags": ["orders"],
        });
        assert_eq!(closed, expected);
        assert!(closed["endedAt"].as_str().unwrap() > closed["startedAt"].as_str().unwrap());
        assert_eq!(app.get("alice", &path).await.expect(200), closed);
    }

    async fn the_owner_the_assigned_agent_and_an_admin_close(app) {
        for who in ["alice", "bob", "root"] {
            let id = app.open_assigned("alice", "bob").await;
            app.put(who, &format!("/api/chat/sessions/{id}/close"), json!(null)).await.expect(200);
        }
        let id = app.open_assigned("alice", "bob").await;
        for who in ["mallory", "carol"] {
            let answer = app.put(who, &format!("/api/chat/sessions/{id}/close"), json!(null)).await;
            answer.expect_error(403, "FORBIDDEN");
        }
    }

    async fn a_session_closes_once(app) {
        let id = app.open_session("alice").await;
        let path = format!("/api/chat/sessions/{id}/close");
        let closed = app.put("alice", &path, json!(null)).await.expect(200);
        app.put("alice", &path, json!(null)).await.expect_error(409, "SESSION_CLOSED");
        app.put("root", &path, json!(null)).await.expect_error(409, "SESSION_CLOSED");
        assert_eq!(app.get("alice", &format!("/api/chat/sessions/{id}")).await.expect(200), closed);
    }

    async fn an_unknown_session_is_not_found(app) {
        let path = format!("/api/chat/sessions/{}/close", fixtures::session_id(404));
        app.put("root", &path, json!(null)).await.expect_error(404, "SESSION_NOT_FOUND");
    }

    async fn of_concurrent_closes_one_succeeds(app) {
        // From the second round on all connections are open, so that the requests really meet.
        for _ in 0..4 {
            let id = app.open_assigned("alice", "bob").await;
            let path = format!("/api/chat/sessions/{id}/close");
            let closers = (0..16).map(|n| app.put(["alice", "bob", "root"][n % 3], &path, json!(null)));
            let (won, lost): (Vec<_>, Vec<_>) =
                join_all(closers).await.into_iter().partition(|answer| answer.status.is_success());
            assert_eq!((won.len(), lost.len()), (1, 15));
            for answer in lost {
                answer.expect_error(409, "SESSION_CLOSED");
            }
        }
    }

    async fn exactly_the_accepted_messages_are_stored_beside_a_close(app) {
        let id = app.open_session("alice").await;
        let path = format!("/api/chat/sessions/{id}");
        let messages = format!("{path}/messages");
        // Each sender goes on until it is refused, so that the close falls between their messages.
        let senders = (0..8).map(|sender| {
            let messages = &messages;
            async move {
                let mut accepted = Vec::new();
                // Far more than are ever sent before the close, so that a lost close ends the test too.
                while accepted.len() < 1_000 {
                    let content = format!("{sender}-{}", accepted.len());
                    let answer = app.post("alice", messages, json!({ "content": content })).await;
                    if answer.status == 409 {
                        answer.expect_error(409, "SESSION_CLOSED");
                        return accepted;
                    }
                    accepted.push(answer.expect(201)["id"].as_str().unwrap().to_owned());
                }
                panic!("the session takes messages although it was closed");
            }
        });
        let close = async {
            app.say("alice", &id, "before the end").await;
            app.put("alice", &format!("{path}/close"), json!(null)).await.expect(200);
        };
        let (accepted, ()) = join(join_all(senders), close).await;
        let accepted: Vec<String> = accepted.concat();
        // All pages, newest first; each page is oldest first.
        let mut stored = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = app.get("alice", &format!("{messages}?limit=100{cursor}")).await.expect(200);
            assert_eq!(page["totalCount"], accepted.len() + 1);
            let ids = page["messages"].as_array().unwrap().iter();
            let ids: Vec<String> = ids.map(|message| message["id"].as_str().unwrap().to_owned()).collect();
            cursor = format!("&before={}", ids[0]);
            stored.extend(ids);
            if page["hasMore"] == false {
                break;
            }
        }
        assert_eq!(stored.len(), accepted.len() + 1);
        assert!(accepted.iter().all(|id| stored.contains(id)), "an accepted message is missing");
    }
}
