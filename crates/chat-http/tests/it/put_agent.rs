//! `PUT /api/chat/agents/{agentId}`

use serde_json::json;

on_every_store! {
    async fn a_new_agent_gets_201_and_a_known_one_200(app) {
        let agent = app.put("root", "/api/chat/agents/bob", json!({ "displayName": " Bob " })).await.expect(201);
        let expected = json!({ "id": "bob", "displayName": "Bob", "active": true, "createdAt": agent["createdAt"] });
        assert_eq!(agent, expected);
        assert!(agent["createdAt"].as_str().unwrap().ends_with('Z'));
        assert_eq!(app.put("root", "/api/chat/agents/bob", json!({})).await.expect(200), agent);
    }

    async fn omitted_fields_of_an_agent_stay_unchanged(app) {
        app.put("root", "/api/chat/agents/bob", json!({ "displayName": "Bob" })).await.expect(201);
        let off = app.put("root", "/api/chat/agents/bob", json!({ "active": false })).await.expect(200);
        assert_eq!((&off["displayName"], &off["active"]), (&json!("Bob"), &json!(false)));
        let renamed = app.put("root", "/api/chat/agents/bob", json!({ "displayName": "Robert" })).await.expect(200);
        assert_eq!((&renamed["displayName"], &renamed["active"]), (&json!("Robert"), &json!(false)));
        assert_eq!(renamed["createdAt"], off["createdAt"]);
    }

    async fn an_agent_who_is_activated_again_may_work_again(app) {
        app.put("root", "/api/chat/agents/bob", json!({ "active": false })).await.expect(201);
        app.get("bob", "/api/chat/sessions").await.expect_error(403, "AGENT_DEACTIVATED");
        app.put("root", "/api/chat/agents/bob", json!({ "active": true })).await.expect(200);
        app.get("bob", "/api/chat/sessions").await.expect(200);
    }

    async fn an_agent_id_may_hold_characters_that_a_path_escapes(app) {
        let agent = app.put("root", "/api/chat/agents/auth0%7C5%2F7%20%C3%A9", json!({})).await.expect(201);
        assert_eq!(agent["id"], "auth0|5/7 é");
    }

    async fn every_broken_rule_is_named(app) {
        for name in ["", "  ", &"x".repeat(101), "a\u{0}b"] {
            let answer = app.put("root", "/api/chat/agents/bob", json!({ "displayName": name })).await;
            answer.expect_invalid("displayName");
        }
        app.put("root", "/api/chat/agents/bob", json!({ "displayName": 5 })).await.expect_invalid("displayName");
        app.put("root", "/api/chat/agents/bob", json!({ "active": "yes" })).await.expect_invalid("active");
        let too_long = format!("/api/chat/agents/{}", "x".repeat(129));
        app.put("root", &too_long, json!({})).await.expect_error(400, "VALIDATION_FAILED");
        app.put("root", "/api/chat/agents/a%00b", json!({})).await.expect_error(400, "VALIDATION_FAILED");
        assert_eq!(app.get("root", "/api/chat/agents").await.expect(200), json!({ "agents": [] }));
    }

    async fn only_an_admin_changes_agents(app) {
        for who in ["alice", "bob"] {
            app.put(who, "/api/chat/agents/bob", json!({})).await.expect_error(403, "FORBIDDEN");
        }
    }
}

on_every_store! {
    async fn an_id_that_is_no_text_or_blank_makes_no_agent(app) {
        for id in ["%FF", "%20%20"] {
            app.put("root", &format!("/api/chat/agents/{id}"), json!({})).await.expect_invalid("agentId");
        }
        assert_eq!(app.get("root", "/api/chat/agents").await.expect(200), json!({ "agents": [] }));
    }
}
