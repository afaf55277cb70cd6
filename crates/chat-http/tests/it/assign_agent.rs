//! `PUT /api/chat/sessions/{sessionId}/assign`

use chat_domain::model::Role;
use chat_testkit::fixtures;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::send;
use crate::support::{Answer, TestApp};

async fn assign(app: &TestApp, who: &str, session: &str, body: Value) -> Answer {
    app.put(who, &format!("/api/chat/sessions/{session}/assign"), body).await
}

/// Enters the agents bob and carol into the directory.
async fn employ(app: &TestApp) {
    for agent in ["bob", "carol"] {
        app.put("root", &format!("/api/chat/agents/{agent}"), json!({})).await.expect(201);
    }
}

on_every_store! {
    async fn an_agent_claims_a_waiting_session(app) {
        let opened = app.post("alice", "/api/chat/sessions", json!({ "subject": "late" })).await.expect(201);
        let id = opened["id"].as_str().unwrap();
        let assigned = assign(app, "bob", id, json!({ "agentId": "bob" })).await.expect(200);
        let expected = json!({
            "id": id, "userId": "alice", "agentId": "bob", "status": "active",
            "user": { "id": "alice" }, "agent": { "id": "bob" },
            "startedAt": opened["startedAt"], "endedAt": null, "subject": "late", "priority": "medium", "tags": [],
        });
        assert_eq!(assigned, expected);
        assert_eq!(app.get("alice", &format!("/api/chat/sessions/{id}")).await.expect(200), assigned);
    }

    async fn an_admin_assigns_anyone_in_the_directory(app) {
        employ(app).await;
        let id = app.open_session("alice").await;
        assert_eq!(assign(app, "root", &id, json!({ "agentId": "carol" })).await.expect(200)["agentId"], "carol");
    }

    async fn an_agent_claims_only_for_themself_and_a_user_never(app) {
        employ(app).await;
        let id = app.open_session("alice").await;
        assign(app, "bob", &id, json!({ "agentId": "carol" })).await.expect_error(403, "FORBIDDEN");
        assign(app, "alice", &id, json!({ "agentId": "bob" })).await.expect_error(403, "FORBIDDEN");
        assign(app, "mallory", &id, json!({ "agentId": "mallory" })).await.expect_error(403, "FORBIDDEN");
        assert_eq!(app.get("alice", &format!("/api/chat/sessions/{id}")).await.expect(200)["agentId"], json!(null));
    }

    async fn an_assigned_session_is_not_assigned_again(app) {
        employ(app).await;
        let id = app.open_assigned("alice", "bob").await;
        for (who, agent) in [("carol", "carol"), ("root", "carol"), ("root", "bob")] {
            assign(app, who, &id, json!({ "agentId": agent })).await.expect_error(409, "ALREADY_ASSIGNED");
        }
        assert_eq!(app.get("bob", &format!("/api/chat/sessions/{id}")).await.expect(200)["agentId"], "bob");
    }

    async fn claiming_ones_own_session_is_already_yours(app) {
        let id = app.open_assigned("alice", "bob").await;
        let refusal = assign(app, "bob", &id, json!({ "agentId": "bob" })).await.expect_error(409, "ALREADY_YOURS");
        assert_eq!(refusal["message"], "the session is already yours");
        // Nothing was changed, and other agents learn nothing of it.
        assert_eq!(app.get("bob", &format!("/api/chat/sessions/{id}/messages")).await.header("x-chat-seq"), "2");
        assign(app, "carol", &id, json!({ "agentId": "carol" })).await.expect_error(409, "ALREADY_ASSIGNED");
        app.put("root", "/api/chat/agents/root", json!({})).await.expect(201);
        app.put("root", &format!("/api/chat/sessions/{id}/transfer"), json!({ "agentId": "root" })).await.expect(200);
        assign(app, "root", &id, json!({ "agentId": "root" })).await.expect_error(409, "ALREADY_YOURS");
        app.put("alice", &format!("/api/chat/sessions/{id}/close"), json!(null)).await.expect(200);
        assign(app, "root", &id, json!({ "agentId": "root" })).await.expect_error(409, "SESSION_CLOSED");
    }

    async fn a_closed_session_is_not_assigned(app) {
        employ(app).await;
        let id = app.open_session("alice").await;
        app.put("alice", &format!("/api/chat/sessions/{id}/close"), json!(null)).await.expect(200);
        assign(app, "bob", &id, json!({ "agentId": "bob" })).await.expect_error(409, "SESSION_CLOSED");
        assign(app, "root", &id, json!({ "agentId": "bob" })).await.expect_error(409, "SESSION_CLOSED");
    }

    async fn an_unknown_or_deactivated_agent_is_404_before_the_sessions_state(app) {
        app.put("root", "/api/chat/agents/dora", json!({ "active": false })).await.expect(201);
        let waiting = app.open_session("alice").await;
        let assigned = app.open_assigned("alice", "bob").await;
        let closed = app.open_session("alice").await;
        app.put("alice", &format!("/api/chat/sessions/{closed}/close"), json!(null)).await.expect(200);
        for session in [&waiting, &assigned, &closed] {
            for agent in ["unknown", "dora"] {
                assign(app, "root", session, json!({ "agentId": agent })).await.expect_error(404, "AGENT_NOT_FOUND");
            }
        }
        let unknown = fixtures::session_id(404).to_string();
        let answer = assign(app, "root", &unknown, json!({ "agentId": "unknown" })).await;
        answer.expect_error(404, "SESSION_NOT_FOUND");
    }

    async fn an_agent_id_is_required_and_must_be_valid(app) {
        let id = app.open_session("alice").await;
        let wrong = [json!(null), json!(""), json!("x".repeat(129)), json!("a\u{0}b"), json!(7), json!(["bob"])];
        for agent in wrong {
            assign(app, "root", &id, json!({ "agentId": agent })).await.expect_invalid("agentId");
        }
        assign(app, "root", &id, json!({})).await.expect_invalid("agentId");
        assign(app, "bob", &id, json!({ "agent_id": "bob" })).await.expect_invalid("agentId");
    }

    async fn of_sixteen_concurrent_claims_one_succeeds(app) {
        for _ in 0..4 {
            let id = app.open_session("alice").await;
            let path = format!("/api/chat/sessions/{id}/assign");
            let claims = (0..16).map(|n| {
                let agent = format!("agent-{n}");
                let request = app.anonymous(Method::PUT, &path).bearer_auth(app.token(&agent, Role::Agent));
                send(request.json(&json!({ "agentId": agent })))
            });
            let mut winners = Vec::new();
            for (n, answer) in join_all(claims).await.into_iter().enumerate() {
                if answer.status == 200 {
                    assert_eq!(answer.expect(200)["agentId"], format!("agent-{n}"));
                    winners.push(n);
                } else {
                    answer.expect_error(409, "ALREADY_ASSIGNED");
                }
            }
            assert_eq!(winners.len(), 1, "{winners:?} all got the session");
            let session = app.get("alice", &format!("/api/chat/sessions/{id}")).await.expect(200);
            assert_eq!(session["agentId"], format!("agent-{}", winners[0]));
        }
    }
}
