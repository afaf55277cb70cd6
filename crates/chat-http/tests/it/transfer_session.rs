//! `PUT /api/chat/sessions/{sessionId}/transfer`

use chat_testkit::fixtures;
use serde_json::{Value, json};

use crate::support::{Answer, TestApp};

async fn transfer(app: &TestApp, who: &str, session: &str, body: Value) -> Answer {
    app.put(who, &format!("/api/chat/sessions/{session}/transfer"), body).await
}

/// Opens a session of alice that bob has claimed, with carol in the directory.
async fn bobs_session(app: &TestApp) -> String {
    app.put("root", "/api/chat/agents/carol", json!({})).await;
    app.open_assigned("alice", "bob").await
}

on_every_store! {
    async fn an_agent_hands_their_session_to_a_colleague_and_loses_it(app) {
        let id = bobs_session(app).await;
        let path = format!("/api/chat/sessions/{id}");
        let mut expected = app.get("bob", &path).await.expect(200);
        expected["agentId"] = json!("carol");
        expected["agent"] = json!({ "id": "carol" });
        assert_eq!(transfer(app, "bob", &id, json!({ "agentId": "carol" })).await.expect(200), expected);
        assert_eq!(app.get("carol", &path).await.expect(200), expected);
        app.get("bob", &path).await.expect_error(403, "FORBIDDEN");
        let message = json!({ "content": "one more thing" });
        app.post("bob", &format!("{path}/messages"), message).await.expect_error(403, "FORBIDDEN");
        app.say("carol", &id, "carol here").await;
    }

    async fn an_agent_hands_their_session_back_to_the_queue(app) {
        let id = bobs_session(app).await;
        let session = transfer(app, "bob", &id, json!({ "agentId": null })).await.expect(200);
        assert_eq!((&session["agentId"], &session["status"]), (&json!(null), &json!("active")));
        // It waits again, so anyone may claim it, its last agent included.
        app.put("bob", &format!("/api/chat/sessions/{id}/assign"), json!({ "agentId": "bob" })).await.expect(200);
    }

    async fn an_admin_hands_over_any_session_assigned_or_waiting(app) {
        let id = bobs_session(app).await;
        assert_eq!(transfer(app, "root", &id, json!({ "agentId": "carol" })).await.expect(200)["agentId"], "carol");
        let waiting = app.open_session("alice").await;
        assert_eq!(transfer(app, "root", &waiting, json!({ "agentId": "bob" })).await.expect(200)["agentId"], "bob");
    }

    async fn a_transfer_to_the_assigned_agent_changes_nothing(app) {
        let id = bobs_session(app).await;
        let messages = format!("/api/chat/sessions/{id}/messages");
        let before = app.get("bob", &messages).await.header("x-chat-seq").to_owned();
        assert_eq!(transfer(app, "bob", &id, json!({ "agentId": "bob" })).await.expect(200)["agentId"], "bob");
        assert_eq!(app.get("bob", &messages).await.header("x-chat-seq"), before);
    }

    async fn only_the_assigned_agent_and_admins_transfer_a_session(app) {
        let id = bobs_session(app).await;
        let waiting = app.open_session("alice").await;
        for who in ["alice", "mallory", "carol"] {
            transfer(app, who, &id, json!({ "agentId": "carol" })).await.expect_error(403, "FORBIDDEN");
        }
        transfer(app, "carol", &waiting, json!({ "agentId": "carol" })).await.expect_error(403, "FORBIDDEN");
    }

    async fn an_unknown_or_deactivated_agent_takes_over_no_session(app) {
        let id = bobs_session(app).await;
        app.put("root", "/api/chat/agents/dora", json!({ "active": false })).await.expect(201);
        for agent in ["unknown", "dora"] {
            transfer(app, "bob", &id, json!({ "agentId": agent })).await.expect_error(404, "AGENT_NOT_FOUND");
        }
        assert_eq!(app.get("bob", &format!("/api/chat/sessions/{id}")).await.expect(200)["agentId"], "bob");
        let unknown = fixtures::session_id(404).to_string();
        transfer(app, "root", &unknown, json!({ "agentId": null })).await.expect_error(404, "SESSION_NOT_FOUND");
    }

    async fn a_closed_session_stays_where_it_is(app) {
        let id = bobs_session(app).await;
        app.put("bob", &format!("/api/chat/sessions/{id}/close"), json!(null)).await.expect(200);
        for body in [json!({ "agentId": "carol" }), json!({ "agentId": null })] {
            transfer(app, "bob", &id, body.clone()).await.expect_error(409, "SESSION_CLOSED");
            transfer(app, "root", &id, body).await.expect_error(409, "SESSION_CLOSED");
        }
    }

    async fn the_queue_must_be_asked_for_by_null_and_not_by_silence(app) {
        let id = bobs_session(app).await;
        transfer(app, "bob", &id, json!({})).await.expect_invalid("agentId");
        for agent in [json!(""), json!("x".repeat(129)), json!(7), json!(false)] {
            transfer(app, "bob", &id, json!({ "agentId": agent })).await.expect_invalid("agentId");
        }
        assert_eq!(app.get("bob", &format!("/api/chat/sessions/{id}")).await.expect(200)["agentId"], "bob");
    }
}
