//! `PUT /api/chat/agents/me/availability`, and who is shown as what in the list of agents

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chat_domain::model::{AgentId, OFFLINE_AFTER};
use serde_json::{Value, json};

use crate::support::{TestApp, TestSocket};

const AVAILABILITY: &str = "/api/chat/agents/me/availability";

/// What `who` is shown of the availability of an agent.
async fn shown(app: &TestApp, who: &str, agent: &str) -> String {
    let list = app.get(who, "/api/chat/agents").await.expect(200);
    let agents = list["agents"].as_array().unwrap();
    let agent = agents.iter().find(|listed| listed["id"] == agent).expect("an agent of the directory");
    agent["availability"].as_str().unwrap().to_owned()
}

/// A socket with an open inbox.
async fn open_inbox(app: &TestApp, who: &str) -> TestSocket {
    let mut socket = app.open_socket(who).await;
    socket.say("open_inbox", json!({ "views": ["closed"] })).await;
    assert_eq!(socket.next().await["type"], "inbox");
    socket
}

/// Notes as another node does that an agent had an inbox open there.
async fn seen_elsewhere(app: &TestApp, agent: &str, ago: Duration) {
    let seen = BTreeMap::from([(AgentId::parse(agent).unwrap(), ago)]);
    app.presence.note(seen).await.unwrap();
}

on_every_store! {
    async fn an_agent_is_shown_as_they_have_set_while_they_have_an_inbox_open(app) {
        assert_eq!(shown(app, "bob", "bob").await, "offline", "a request opens no inbox");
        let _inbox = open_inbox(app, "bob").await;
        for who in ["bob", "carol", "root"] {
            assert_eq!(shown(app, who, "bob").await, "online", "nothing was set");
        }
        assert_eq!(shown(app, "bob", "carol").await, "offline", "who has no inbox open");
        for status in ["away", "away", "online", "away"] {
            let set = app.put("bob", AVAILABILITY, json!({ "status": status })).await.expect(200);
            assert_eq!(set, json!({ "status": status }));
            assert_eq!(shown(app, "carol", "bob").await, status);
        }
    }

    async fn an_agent_is_offline_sixty_seconds_after_their_last_inbox_and_comes_back_as_set(app) {
        app.put("bob", AVAILABILITY, json!({ "status": "away" })).await.expect(200);
        assert_eq!(shown(app, "root", "bob").await, "offline");
        seen_elsewhere(app, "bob", OFFLINE_AFTER).await;
        assert_eq!(shown(app, "root", "bob").await, "offline");
        // So long before the limit that the test, on a busy machine, is over before it.
        seen_elsewhere(app, "bob", Duration::from_secs(1)).await;
        assert_eq!(shown(app, "root", "bob").await, "away");
        seen_elsewhere(app, "bob", OFFLINE_AFTER).await;
        assert_eq!(shown(app, "root", "bob").await, "away", "what another node says of earlier takes nothing back");
        let _inbox = open_inbox(app, "bob").await;
        assert_eq!(shown(app, "root", "bob").await, "away");
    }

    async fn presence_that_a_node_writes_is_what_other_nodes_read(app) {
        let id = AgentId::parse("bob").unwrap();
        let (mut inbox, socket) = (open_inbox(app, "bob").await, app.open_socket("carol").await);
        let _of_others = (open_inbox(app, "alice").await, open_inbox(app, "root").await);
        assert_eq!(app.service.report_presence(Instant::now()).await.unwrap(), 1, "carol has no inbox open");
        assert!(app.presence.last_seen(vec![id.clone()]).await.unwrap()[&id] < OFFLINE_AFTER);
        // Another inbox on the same socket takes the place of the first.
        inbox.say("open_inbox", json!({ "views": ["mine"] })).await;
        assert_eq!(inbox.next().await["type"], "inbox");
        assert_eq!(shown(app, "root", "bob").await, "online");
        drop((inbox, socket));
    }

    async fn a_deactivated_agent_is_offline_and_sets_nothing(app) {
        app.put("bob", AVAILABILITY, json!({ "status": "away" })).await.expect(200);
        seen_elsewhere(app, "bob", Duration::ZERO).await;
        assert_eq!(shown(app, "root", "bob").await, "away");
        app.delete("root", "/api/chat/agents/bob").await.expect(200);
        assert_eq!(shown(app, "root", "bob").await, "offline");
        for body in [json!({ "status": "online" }), json!({ "status": 5 })] {
            app.put("bob", AVAILABILITY, body).await.expect_error(403, "AGENT_DEACTIVATED");
        }
        app.put("root", "/api/chat/agents/bob", json!({ "active": true })).await.expect(200);
        assert_eq!(shown(app, "root", "bob").await, "away", "what was set before");
    }

    async fn every_broken_rule_of_a_status_is_named(app) {
        app.get("bob", "/api/chat/agents").await.expect(200);
        for (body, field, rule) in [
            (json!({}), "status", "is required"),
            (json!({ "status": null }), "status", "is required"),
            (json!({ "status": "offline" }), "status", "must be online or away"),
            (json!({ "status": "Online" }), "status", "must be online or away"),
            (json!({ "status": "" }), "status", "must be online or away"),
            (json!({ "status": 5 }), "status", "must be a string"),
            (json!({ "status": "away", "until": "noon" }), "until", "is no field of this request"),
            (json!([]), "body", "must be a JSON object"),
        ] {
            let error = app.put("bob", AVAILABILITY, body.clone()).await.expect_error(400, "VALIDATION_FAILED");
            assert_eq!(error["details"], json!([{ "field": field, "message": rule }]), "{body}");
        }
        assert_eq!(app.put("bob", AVAILABILITY, json!({ "status": "away" })).await.expect(200)["status"], "away");
    }

    async fn other_people_than_agents_have_no_availability(app) {
        for who in ["alice", "root"] {
            for body in [json!({ "status": "away" }), json!({ "status": 5 }), Value::Null] {
                app.put(who, AVAILABILITY, body).await.expect_error(403, "FORBIDDEN");
            }
        }
        assert_eq!(app.get("root", "/api/chat/agents").await.expect(200), json!({ "agents": [] }));
    }
}
