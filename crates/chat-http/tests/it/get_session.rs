//! `GET /api/chat/sessions/{sessionId}`

use chat_testkit::fixtures;
use serde_json::json;

on_every_store! {
    async fn all_who_may_see_a_session_get_the_same_body(app) {
        let body = json!({ "subject": "Where is it?", "priority": "low", "tags": ["b", "a"] });
        let opened = app.post("alice", "/api/chat/sessions", body).await.expect(201);
        let path = format!("/api/chat/sessions/{}", opened["id"].as_str().unwrap());
        for who in ["alice", "bob", "carol", "root"] {
            assert_eq!(app.get(who, &path).await.expect(200), opened, "{who}");
        }
        app.put("bob", &format!("{path}/assign"), json!({ "agentId": "bob" })).await.expect(200);
        let mut assigned = opened;
        assigned["agentId"] = json!("bob");
        assigned["agent"] = json!({ "id": "bob" });
        for who in ["alice", "bob", "root"] {
            assert_eq!(app.get(who, &path).await.expect(200), assigned, "{who}");
        }
        app.get("carol", &path).await.expect_error(403, "FORBIDDEN");
    }

    async fn an_unset_subject_is_omitted_and_unset_agent_and_end_are_null(app) {
        let id = app.open_session("alice").await;
        let session = app.get("alice", &format!("/api/chat/sessions/{id}")).await.expect(200);
        let expected = json!({
            "id": id, "userId": "alice", "agentId": null, "user": { "id": "alice" }, "agent": null, "status": "active",
            "startedAt": session["startedAt"], "endedAt": null, "priority": "medium", "tags": [],
        });
        assert_eq!(session, expected);
    }

    async fn a_refusal_says_nothing_about_the_session(app) {
        let body = json!({ "subject": "canary" });
        let opened = app.post("alice", "/api/chat/sessions", body).await.expect(201);
        let answer = app.get("mallory", &format!("/api/chat/sessions/{}", opened["id"].as_str().unwrap())).await;
        assert!(!String::from_utf8_lossy(&answer.bytes).contains("canary"));
        answer.expect_error(403, "FORBIDDEN");
    }

    async fn a_session_that_was_closed_before_an_agent_came_is_no_agents(app) {
        let id = app.open_session("alice").await;
        app.put("alice", &format!("/api/chat/sessions/{id}/close"), json!(null)).await.expect(200);
        app.get("bob", &format!("/api/chat/sessions/{id}")).await.expect_error(403, "FORBIDDEN");
    }

    async fn an_unknown_id_and_every_other_spelling_of_an_id_are_not_found(app) {
        let id = app.open_session("alice").await;
        let unknown = fixtures::session_id(404).to_string();
        let shouting = id.to_uppercase();
        let bare = id.replace('-', "");
        let braced = format!("%7B{id}%7D");
        let trailing = format!("{id}%20");
        for wrong in [unknown.as_str(), &shouting, &bare, &braced, &trailing, "1", "null", "%00", "..%2F..%2Fetc"] {
            let path = format!("/api/chat/sessions/{wrong}");
            app.get("alice", &path).await.expect_error(404, "SESSION_NOT_FOUND");
        }
    }
}
