//! `GET /api/chat/agents`, and how agents get into the directory

use chat_domain::model::Role;
use chat_domain::ports::Clock;
use chat_domain::service::Rules;
use chat_identity::{TokenClaims, sign_hs256};
use reqwest::Method;
use serde_json::json;

use crate::support::app::{Options, SECRET, send};
use crate::support::{Store, TestApp};

on_every_store! {
    async fn agents_are_listed_by_ascending_id_deactivated_ones_included(app) {
        assert_eq!(app.get("root", "/api/chat/agents").await.expect(200), json!({ "agents": [] }));
        let zoe = app.put("root", "/api/chat/agents/zoe", json!({ "displayName": "Zoe" })).await.expect(201);
        let ann = app.put("root", "/api/chat/agents/ann", json!({ "active": false })).await.expect(201);
        let mia = app.put("root", "/api/chat/agents/Mia", json!({})).await.expect(201);
        // By code point, so capitals come first on every store.
        let offline = |mut agent: serde_json::Value| {
            agent["availability"] = json!("offline");
            agent
        };
        let expected = [mia, ann, zoe].map(offline);
        assert_eq!(app.get("root", "/api/chat/agents").await.expect(200), json!({ "agents": expected }));
    }

    async fn the_first_request_enters_an_agent_with_the_tokens_name(app) {
        let now = app.clock.now();
        let claims = TokenClaims {
            sub: "bob".to_owned(),
            role: Some(Role::Agent.as_str().to_owned()),
            name: Some(" Bob Builder ".to_owned()),
            picture: None,
            issuer: None,
            audience: None,
            issued_at: now,
            expires_at: now.plus(std::time::Duration::from_hours(1)),
        };
        let token = sign_hs256(SECRET, &claims).unwrap();
        for _ in 0..2 {
            send(app.anonymous(Method::GET, "/api/chat/sessions").bearer_auth(&token)).await.expect(200);
        }
        app.get("carol", "/api/chat/sessions").await.expect(200);
        let list = app.get("root", "/api/chat/agents").await.expect(200);
        let agents = &list["agents"];
        let expected = json!({ "agents": [
            { "id": "bob", "displayName": "Bob Builder", "active": true, "availability": "offline",
              "createdAt": agents[0]["createdAt"] },
            { "id": "carol", "displayName": null, "active": true, "availability": "offline",
              "createdAt": agents[1]["createdAt"] },
        ]});
        assert_eq!(list, expected);
    }

    async fn users_and_admins_do_not_enter(app) {
        app.get("alice", "/api/chat/sessions").await.expect(200);
        app.get("root", "/api/chat/sessions").await.expect(200);
        assert_eq!(app.get("root", "/api/chat/agents").await.expect(200), json!({ "agents": [] }));
    }

    async fn an_agent_sees_to_whom_a_session_can_be_handed_over(app) {
        app.put("root", "/api/chat/agents/ann", json!({ "displayName": "Ann" })).await.expect(201);
        app.put("root", "/api/chat/agents/zoe", json!({ "active": false })).await.expect(201);
        let expected = json!({ "agents": [
            { "id": "ann", "displayName": "Ann", "active": true, "availability": "offline" },
            { "id": "bob", "displayName": null, "active": true, "availability": "offline" },
            { "id": "zoe", "displayName": null, "active": false, "availability": "offline" },
        ]});
        assert_eq!(app.get("bob", "/api/chat/agents").await.expect(200), expected);
    }

    async fn a_customer_sees_no_agent(app) {
        app.get("alice", "/api/chat/agents").await.expect_error(403, "FORBIDDEN");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_autoregistration_a_request_enters_no_agent() {
    for store in [Store::Memory, Store::Sqlite] {
        let rules = Rules { agent_autoregister: false, ..Rules::default() };
        let app = TestApp::with(store, Options { rules, ..Options::default() }).await;
        let id = app.open_session("alice").await;
        app.get("bob", "/api/chat/sessions").await.expect(200);
        assert_eq!(app.get("root", "/api/chat/agents").await.expect(200), json!({ "agents": [] }));
        let assign = format!("/api/chat/sessions/{id}/assign");
        app.put("bob", &assign, json!({ "agentId": "bob" })).await.expect_error(404, "AGENT_NOT_FOUND");
        app.put("root", "/api/chat/agents/bob", json!({})).await.expect(201);
        app.put("bob", &assign, json!({ "agentId": "bob" })).await.expect(200);
        app.stop().await;
    }
}
