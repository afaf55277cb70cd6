//! The people whom responses and frames show.

use chat_domain::model::{AgentId, AgentUpdate, DisplayName};
use chat_domain::ports::Clock;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::send;
use crate::support::{TestApp, TestSocket, plain};

const SESSIONS: &str = "/api/chat/sessions";

fn picture(who: &str) -> String {
    format!("https://pictures.example.com/{who}.png?size=64")
}

fn person(who: &str, name: &str) -> Value {
    json!({ "id": who, "name": name, "avatarUrl": picture(who) })
}

/// A request with a token that names its person.
async fn named(app: &TestApp, who: &str, name: &str, (method, path): (Method, &str), body: Value) -> Value {
    let token = app.token_with(who, Some(name), Some(&picture(who)));
    let status = if method == Method::POST { 201 } else { 200 };
    send(app.anonymous(method, path).bearer_auth(token).json(&body)).await.expect(status)
}

/// A session of Alice that Bob has claimed, each with a name.
async fn of_named_people(app: &TestApp) -> String {
    let opened = named(app, "alice", "Alice", (Method::POST, SESSIONS), json!({})).await;
    let id = opened["id"].as_str().unwrap().to_owned();
    let assign = format!("{SESSIONS}/{id}/assign");
    named(app, "bob", "Bob", (Method::PUT, &assign), json!({ "agentId": "bob" })).await;
    id
}

/// Checks that these are the next frames.
async fn expect(socket: &mut TestSocket, frames: Vec<Value>) {
    for frame in frames {
        assert_eq!(socket.next().await, frame);
    }
}

on_every_store! {
    async fn people_have_names_in_every_response_with_a_session(app) {
        let opened = named(app, "alice", "Alice", (Method::POST, SESSIONS), json!({})).await;
        assert_eq!((&opened["user"], &opened["agent"]), (&person("alice", "Alice"), &json!(null)));
        assert_eq!((&opened["userId"], &opened["agentId"]), (&json!("alice"), &json!(null)));
        let path = format!("{SESSIONS}/{}", opened["id"].as_str().unwrap());
        let assign = json!({ "agentId": "bob" });
        let assigned = named(app, "bob", "Bob", (Method::PUT, &format!("{path}/assign")), assign).await;
        let expect = |session: &Value, agent: &Value| {
            assert_eq!((&session["user"], &session["agent"]), (&person("alice", "Alice"), agent), "{session}");
        };
        expect(&assigned, &person("bob", "Bob"));
        // Tokens without a name see the names of others, and leave theirs.
        for who in ["alice", "bob", "root"] {
            expect(&app.get(who, &path).await.expect(200), &person("bob", "Bob"));
            let list = app.get(who, SESSIONS).await.expect(200);
            expect(&list["sessions"][0], &person("bob", "Bob"));
        }
        expect(&app.patch("bob", &path, json!({ "subject": "x" })).await.expect(200), &person("bob", "Bob"));
        app.get("carol", SESSIONS).await.expect(200);
        let transfer = app.put("bob", &format!("{path}/transfer"), json!({ "agentId": "carol" })).await;
        expect(&transfer.expect(200), &json!({ "id": "carol" }));
        expect(&app.put("carol", &format!("{path}/close"), json!(null)).await.expect(200), &json!({ "id": "carol" }));
    }

    async fn after_a_transfer_one_sees_who_wrote_what(app) {
        let id = of_named_people(app).await;
        let messages = format!("{SESSIONS}/{id}/messages");
        let mut authors = Vec::new();
        for (who, name) in [("alice", "Alice"), ("bob", "Bob")] {
            let sent = named(app, who, name, (Method::POST, &messages), json!({ "content": "hi" })).await;
            assert_eq!(sent["author"], person(who, name));
            authors.push(sent["author"].clone());
        }
        app.put("root", "/api/chat/agents/carol", json!({ "displayName": "Carol of support" })).await.expect(201);
        app.put("bob", &format!("{SESSIONS}/{id}/transfer"), json!({ "agentId": "carol" })).await.expect(200);
        let sent = named(app, "carol", "C", (Method::POST, &messages), json!({ "content": "hi" })).await;
        assert_eq!(sent["author"], person("carol", "Carol of support"), "the directory comes before the token");
        authors.push(sent["author"].clone());
        for who in ["alice", "carol", "root"] {
            let page = app.get(who, &messages).await.expect(200);
            let shown: Vec<Value> = page["messages"].as_array().unwrap().iter().map(|sent| sent["author"].clone()).collect();
            assert_eq!(shown, authors);
            let one = app.get(who, &format!("{messages}/{}", sent["id"].as_str().unwrap())).await.expect(200);
            assert_eq!(one, sent);
        }
    }

    async fn claims_that_cannot_be_shown_are_as_if_they_were_not_there(app) {
        let long = "n".repeat(101);
        let far = format!("https://example.com/{}", "a".repeat(2_029));
        let cases = [
            (Some(long.as_str()), None),
            (Some("  "), Some("http://example.com/a.png")),
            (Some("a\0b"), Some("javascript:alert(1)")),
            (None, Some("https://")),
            (None, Some("https://alice:secret@example.com/a.png")),
            (None, Some("https://example.com/a b.png")),
            (None, Some(far.as_str())),
        ];
        for (name, picture) in cases {
            let token = app.token_with("alice", name, picture);
            let request = app.anonymous(Method::POST, SESSIONS).bearer_auth(token).json(&json!({}));
            assert_eq!(send(request).await.expect(201)["user"], json!({ "id": "alice" }), "{name:?} {picture:?}");
        }
        let name = format!("  {}\n", "é".repeat(100));
        let token = app.token_with("alice", Some(&name), Some(&far[..2_048]));
        let opened = send(app.anonymous(Method::POST, SESSIONS).bearer_auth(token).json(&json!({}))).await.expect(201);
        assert_eq!(opened["user"], json!({ "id": "alice", "name": name.trim(), "avatarUrl": far[..2_048] }));
    }

    async fn a_read_writes_no_person(app) {
        let id = app.open_session("alice").await;
        let path = format!("{SESSIONS}/{id}");
        let shown = named(app, "alice", "Alice", (Method::GET, &path), json!(null)).await;
        assert_eq!(shown["user"], json!({ "id": "alice" }));
        named(app, "alice", "Alice", (Method::GET, &format!("{path}/messages")), json!(null)).await;
        assert_eq!(app.get("root", &path).await.expect(200)["user"], json!({ "id": "alice" }));
    }

    async fn agents_are_listed_with_their_names_and_pictures(app) {
        of_named_people(app).await;
        app.put("root", "/api/chat/agents/ann", json!({ "displayName": "Ann" })).await.expect(201);
        let update = AgentUpdate { display_name: DisplayName::parse("Bob of sales").ok(), active: None };
        app.agents.put(AgentId::parse("bob").unwrap(), update, app.clock.now()).await.unwrap();
        let expected = json!({ "agents": [
            { "id": "ann", "displayName": "Ann", "active": true, "availability": "offline" },
            { "id": "bob", "displayName": "Bob of sales", "avatarUrl": picture("bob"), "active": true,
              "availability": "offline" },
        ]});
        assert_eq!(app.get("bob", "/api/chat/agents").await.expect(200), expected);
    }

    async fn frames_of_extended_mode_have_names_live_and_replayed_and_those_of_base_mode_have_none(app) {
        let opened = named(app, "alice", "Alice", (Method::POST, SESSIONS), json!({})).await;
        let id = opened["id"].as_str().unwrap();
        let (extended, _) = app.watch_extended("alice", id, "").await;
        let base = app.watch("alice", id, "").await;
        let assign = format!("{SESSIONS}/{id}/assign");
        let assigned = named(app, "bob", "Bob", (Method::PUT, &assign), json!({ "agentId": "bob" })).await;
        let messages = format!("{SESSIONS}/{id}/messages");
        let sent = named(app, "bob", "Bob", (Method::POST, &messages), json!({ "content": "hi" })).await;
        let closed = app.put("bob", &format!("{SESSIONS}/{id}/close"), json!(null)).await.expect(200);
        assert_eq!((&sent["author"], &assigned["agent"]), (&person("bob", "Bob"), &person("bob", "Bob")));
        let expected = [(2, "session_update", &assigned), (3, "message", &sent), (4, "session_update", &closed)];
        let replayed = app.watch_extended("alice", id, "?since=1").await.0;
        let replayed_base = app.watch("alice", id, "?since=1").await;
        for mut socket in [extended, replayed] {
            let frames = expected.map(|(seq, kind, data)| json!({ "type": kind, "seq": seq, "data": data }));
            expect(&mut socket, frames.into()).await;
        }
        for mut socket in [base, replayed_base] {
            expect(&mut socket, expected.map(|(_, kind, data)| json!({ "type": kind, "data": plain(data) })).into()).await;
        }
    }
}
