//! `DELETE /api/chat/agents/{agentId}`, and what it means for the agent

use chat_testkit::fixtures;
use serde_json::json;

on_every_store! {
    async fn a_deactivated_agent_stays_in_the_directory(app) {
        let agent = app.put("root", "/api/chat/agents/bob", json!({ "displayName": "Bob" })).await.expect(201);
        let mut expected = agent;
        expected["active"] = json!(false);
        assert_eq!(app.delete("root", "/api/chat/agents/bob").await.expect(200), expected);
        assert_eq!(app.delete("root", "/api/chat/agents/bob").await.expect(200), expected);
        expected["availability"] = json!("offline");
        assert_eq!(app.get("root", "/api/chat/agents").await.expect(200), json!({ "agents": [expected] }));
    }

    async fn a_deactivated_agent_gets_403_before_any_other_check(app) {
        let id = app.open_assigned("alice", "bob").await;
        app.get("bob", &format!("/api/chat/sessions/{id}")).await.expect(200);
        app.delete("root", "/api/chat/agents/bob").await.expect(200);
        let refused = "AGENT_DEACTIVATED";
        app.get("bob", &format!("/api/chat/sessions/{id}")).await.expect_error(403, refused);
        app.get("bob", "/api/chat/sessions?page=0").await.expect_error(403, refused);
        let unknown = format!("/api/chat/sessions/{}", fixtures::session_id(404));
        app.get("bob", &unknown).await.expect_error(403, refused);
        app.post("bob", &format!("{unknown}/messages"), json!([])).await.expect_error(403, refused);
        app.get("bob", "/api/chat/stats").await.expect_error(403, refused);
        app.post("bob", "/api/chat/sessions", json!({})).await.expect_error(403, refused);
    }

    async fn asking_again_does_not_bring_them_back(app) {
        app.get("bob", "/api/chat/sessions").await.expect(200);
        app.delete("root", "/api/chat/agents/bob").await.expect(200);
        for _ in 0..3 {
            app.get("bob", "/api/chat/sessions").await.expect_error(403, "AGENT_DEACTIVATED");
        }
        assert_eq!(app.get("root", "/api/chat/agents").await.expect(200)["agents"][0]["active"], false);
    }

    async fn their_sessions_stay_theirs_until_an_admin_hands_them_over(app) {
        let id = app.open_assigned("alice", "bob").await;
        app.delete("root", "/api/chat/agents/bob").await.expect(200);
        let path = format!("/api/chat/sessions/{id}");
        assert_eq!(app.get("alice", &path).await.expect(200)["agentId"], "bob");
        app.put("root", "/api/chat/agents/carol", json!({})).await.expect(201);
        app.put("root", &format!("{path}/transfer"), json!({ "agentId": "carol" })).await.expect(200);
        app.say("carol", &id, "I am here instead.").await;
    }

    async fn an_agent_missing_from_the_directory_is_not_found(app) {
        app.delete("root", "/api/chat/agents/unknown").await.expect_error(404, "AGENT_NOT_FOUND");
        let malformed = format!("/api/chat/agents/{}", "x".repeat(129));
        app.delete("root", &malformed).await.expect_error(404, "AGENT_NOT_FOUND");
    }

    async fn only_an_admin_deactivates(app) {
        for who in ["alice", "bob"] {
            app.delete(who, "/api/chat/agents/bob").await.expect_error(403, "FORBIDDEN");
        }
        app.get("bob", "/api/chat/sessions").await.expect(200);
    }
}
