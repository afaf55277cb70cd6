//! The inbox on a socket: snapshots, then what changes, and at any time the truth of REST.

use std::collections::BTreeMap;

use chat_domain::model::Role;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::asyncapi::assert_described;
use crate::support::{Store, TestApp, TestSocket};

/// A client with an open inbox, and what it shows.
struct Desk<'a> {
    app: &'a TestApp,
    who: String,
    socket: TestSocket,
    views: Vec<&'static str>,
    shown: BTreeMap<&'static str, BTreeMap<String, Value>>,
    counts: Value,
}

impl<'a> Desk<'a> {
    async fn open(app: &'a TestApp, who: &str, views: &[&'static str]) -> Self {
        let socket = app.open_socket(who).await;
        let (views, shown) = (views.to_vec(), BTreeMap::new());
        let mut desk = Self { app, who: who.to_owned(), socket, views, shown, counts: Value::Null };
        desk.open_inbox().await;
        desk
    }

    async fn open_inbox(&mut self) {
        self.socket.say("open_inbox", json!({ "views": self.views })).await;
        for view in self.views.clone() {
            let frame = self.socket.next().await;
            assert_described("multiplexed", &frame);
            assert_eq!((&frame["type"], &frame["data"]["view"]), (&json!("inbox"), &json!(view)), "{frame}");
            let items = frame["data"]["items"].as_array().unwrap();
            self.shown.insert(view, items.iter().map(named).collect());
            self.counts = frame["data"]["counts"].clone();
        }
    }

    /// Takes the next update.
    async fn update(&mut self) -> Value {
        let frame = self.socket.next().await;
        assert_described("multiplexed", &frame);
        assert_eq!(frame["type"], "inbox_update", "{frame}");
        let (data, session) = (&frame["data"], frame["sessionId"].as_str().unwrap().to_owned());
        let view = self.views.iter().find(|view| data["view"] == **view).expect("a view that was asked for");
        let shown = self.shown.get_mut(view).unwrap();
        if data["item"].is_null() {
            shown.remove(&session);
        } else {
            shown.insert(session, data["item"].clone());
        }
        self.counts = data["counts"].clone();
        frame
    }

    async fn page(&self, view: &str) -> Value {
        let path = format!("/api/chat/inbox?view={view}&limit=100");
        self.app.get(&self.who, &path).await.expect(200)
    }

    /// Whether it shows what REST shows.
    async fn is_true(&self) -> bool {
        for view in &self.views {
            let page = self.page(view).await;
            let items: BTreeMap<_, _> = page["items"].as_array().unwrap().iter().map(named).collect();
            if self.shown[view] != items || self.counts != page["counts"] {
                return false;
            }
        }
        true
    }

    /// Takes updates until it shows what REST shows. The wait for an update that does not come fails the test.
    async fn until_true(&mut self) {
        while !self.is_true().await {
            self.update().await;
        }
    }
}

fn named(item: &Value) -> (String, Value) {
    (item["id"].as_str().unwrap().to_owned(), item.clone())
}

async fn claim(app: &TestApp, who: &str, session: &str) -> u16 {
    let path = format!("/api/chat/sessions/{session}/assign");
    app.put(who, &path, json!({ "agentId": who })).await.status.as_u16()
}

on_every_store! {
    async fn an_opened_inbox_is_what_rest_shows_and_then_what_changes(app) {
        let (waiting, held) = (app.open_session("alice").await, app.open_assigned("alice", "bob").await);
        app.say("alice", &held, "  Where is\nmy parcel? ").await;
        let mut bob = Desk::open(app, "bob", &["mine", "waiting"]).await;
        assert!(bob.is_true().await, "{:?}", bob.shown);
        assert_eq!(bob.shown["mine"][&held]["lastMessage"]["preview"], "Where is my parcel?");
        let opened = app.open_session("mallory").await;
        let update = bob.update().await;
        assert_eq!((&update["sessionId"], &update["data"]["view"]), (&json!(opened), &json!("waiting")), "{update}");
        assert_eq!(update["data"]["counts"]["waiting"], 2);
        bob.until_true().await;
        assert_eq!(claim(app, "bob", &waiting).await, 200);
        bob.until_true().await;
        assert!(bob.shown["mine"].contains_key(&waiting) && !bob.shown["waiting"].contains_key(&waiting));
        app.say("mallory", &opened, "hello?").await;
        app.say("alice", &waiting, "thank you").await;
        bob.until_true().await;
        assert_eq!(bob.counts["mineUnread"], 2);
        app.put("bob", &format!("/api/chat/sessions/{waiting}/close"), json!(null)).await.expect(200);
        bob.until_true().await;
        assert!(!bob.shown["mine"].contains_key(&waiting));
    }

    async fn every_role_has_its_views(app) {
        let mut alice = Desk::open(app, "alice", &["mine", "closed"]).await;
        let mut root = Desk::open(app, "root", &["waiting", "assigned", "closed"]).await;
        let mut bob = Desk::open(app, "bob", &["closed"]).await;
        let session = app.open_assigned("alice", "bob").await;
        app.say("bob", &session, "good morning").await;
        app.say("alice", &session, "good morning").await;
        app.put("bob", &format!("/api/chat/sessions/{session}/read"), json!({ "upToSeq": 4 })).await.expect(204);
        for desk in [&mut alice, &mut root] {
            desk.until_true().await;
        }
        app.put("root", &format!("/api/chat/sessions/{session}/close"), json!(null)).await.expect(200);
        for desk in [&mut alice, &mut root, &mut bob] {
            desk.until_true().await;
            assert!(desk.shown["closed"].contains_key(&session));
        }
        assert!(alice.shown["mine"].contains_key(&session), "a customer's own stay theirs");
    }

    async fn a_second_inbox_takes_the_place_of_the_first(app) {
        let mut root = Desk::open(app, "root", &["waiting", "assigned"]).await;
        app.open_session("alice").await;
        root.until_true().await;
        root.views = vec!["assigned"];
        root.open_inbox().await;
        app.open_session("alice").await;
        app.open_assigned("alice", "bob").await;
        // An update of the view that was left would be one of a view that was not asked for.
        while root.shown["assigned"].is_empty() {
            root.update().await;
        }
        root.socket.settle_after("inbox_update").await;
    }

    async fn of_sixteen_agents_who_claim_at_once_one_has_the_session_and_all_inboxes_say_so(app) {
        let agents: Vec<String> = (0..16).map(|n| format!("agent-{n}")).collect();
        let mut desks = Vec::new();
        for agent in &agents {
            let token = app.token(agent, Role::Agent);
            let socket = TestSocket::open_multiplexed(&app.base, &token).await.0;
            desks.push((agent, token, socket));
        }
        for (_, _, socket) in &mut desks {
            socket.say("open_inbox", json!({ "views": ["mine", "waiting"] })).await;
            for _ in 0..2 {
                assert_eq!(socket.next().await["type"], "inbox");
            }
        }
        let session = app.open_session("alice").await;
        let claims = desks.iter().map(|(agent, token, _)| {
            let request = app.anonymous(reqwest::Method::PUT, &format!("/api/chat/sessions/{session}/assign"));
            request.bearer_auth(token).json(&json!({ "agentId": agent })).send()
        });
        let answers = futures_util::future::join_all(claims).await;
        let won: Vec<bool> = answers.into_iter().map(|answer| answer.unwrap().status() == 200).collect();
        assert_eq!(won.iter().filter(|won| **won).count(), 1);
        for ((_, _, socket), won) in desks.iter_mut().zip(won) {
            let mut shown = BTreeMap::new();
            let is_right = |shown: &BTreeMap<String, bool>| {
                shown.get("waiting") != Some(&true) && shown.get("mine").copied().unwrap_or(false) == won
            };
            // An agent who was shown nothing of it yet hears that it is gone, or that it is theirs.
            while shown.is_empty() || !is_right(&shown) {
                let frame = socket.next().await;
                shown.insert(frame["data"]["view"].as_str().unwrap().to_owned(), !frame["data"]["item"].is_null());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_inbox_that_cannot_be_opened_is_an_error_and_the_socket_lives() {
    let app = TestApp::start(Store::Memory).await;
    let mut bob = app.open_socket("bob").await;
    for (data, expected) in [
        (json!({ "views": ["mine", "all"] }), "VALIDATION_FAILED"),
        (json!({ "views": [] }), "VALIDATION_FAILED"),
        (json!({ "views": ["mine"], "limit": 0 }), "VALIDATION_FAILED"),
        (json!({ "views": ["assigned"] }), "FORBIDDEN"),
    ] {
        bob.say("open_inbox", data.clone()).await;
        let (code, reference, session) = bob.error().await;
        assert_eq!((code.as_str(), reference.as_str(), session), (expected, "open_inbox", Value::Null), "{data}");
        bob.say_as("r-1", "open_inbox", data).await;
        assert_eq!(bob.error().await.1, "r-1");
    }
    bob.say("open_inbox", json!({ "views": ["mine"], "limit": 5_000 })).await;
    assert_eq!(bob.next().await["type"], "inbox");
    for (text, rule) in [
        (r#"{"type":"open_inbox"}"#, "data is not an object"),
        (r#"{"type":"open_inbox","data":{}}"#, "data does not fit the type"),
        (r#"{"type":"open_inbox","data":{"views":"mine"}}"#, "data does not fit the type"),
        (r#"{"type":"open_inbox","data":{"views":["mine"],"limit":null}}"#, "data does not fit the type"),
    ] {
        let mut bob = app.open_socket("bob").await;
        bob.send(Message::text(text)).await;
        assert_eq!(bob.closed().await, (4400, format!("bad frame: {rule}")), "{text}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_eleventh_inbox_of_a_person_closes_the_socket_of_the_oldest() {
    let app = TestApp::start(Store::Memory).await;
    let mut desks = Vec::new();
    for _ in 0..11 {
        desks.push(Desk::open(&app, "bob", &["mine"]).await);
    }
    assert_eq!(desks.remove(0).socket.closed().await.0, 4409);
    for desk in &mut desks {
        desk.socket.settle().await;
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_lower_role_an_inbox_shows_what_that_role_may_see_or_nothing() {
    let app = TestApp::start(Store::Memory).await;
    let token = |role| app.token("root", role);
    let mut socket = TestSocket::open_multiplexed(&app.base, &token(Role::Admin)).await.0;
    socket.say("open_inbox", json!({ "views": ["waiting"] })).await;
    assert_eq!(socket.next().await["type"], "inbox");
    socket.say("auth", json!({ "token": token(Role::Agent) })).await;
    let mut kinds = [socket.next().await, socket.next().await].map(|frame| frame["type"].as_str().unwrap().to_owned());
    kinds.sort();
    assert_eq!(kinds, ["auth_ok", "inbox"], "an agent has that view too");
    socket.say_as("down", "auth", json!({ "token": token(Role::User) })).await;
    let mut answers = [socket.next().await, socket.next().await];
    answers.sort_by_key(|frame| frame["type"].as_str().unwrap().to_owned());
    assert_eq!(answers[0]["type"], "auth_ok");
    assert_eq!((&answers[1]["type"], &answers[1]["data"]["code"]), (&json!("error"), &json!("FORBIDDEN")));
    app.open_session("alice").await;
    socket.settle().await;
    assert_eq!(app.hub.inboxes().len(), 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_gets_the_newest_state_of_each_session_and_no_other() {
    let app = TestApp::start(Store::Memory).await;
    let mut bob = Desk::open(&app, "bob", &["waiting"]).await;
    let sessions = [app.open_session("alice").await, app.open_session("alice").await];
    for n in 0..200 {
        for session in &sessions {
            app.say("alice", session, &format!("message {n}")).await;
        }
    }
    let mut updates = 0;
    while !bob.is_true().await {
        bob.update().await;
        updates += 1;
    }
    assert!(updates < 100, "{updates} updates of 400 messages");
    app.stop().await;
}
