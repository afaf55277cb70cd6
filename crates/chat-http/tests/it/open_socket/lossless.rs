//! Whatever a client does, it gets each message of each session once and in order.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{TestApp, TestSocket};

const SESSIONS: usize = 4;
const STEPS: usize = 150;

/// Numbers that look random, and are the same in every run (xorshift, Marsaglia 2003).
struct Script(u64);

impl Script {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }
}

/// A client that keeps what it got, and connects again from there.
struct Client<'a> {
    app: &'a TestApp,
    socket: TestSocket,
    /// The newest position of each session.
    newest: BTreeMap<String, u64>,
    got: BTreeMap<String, Vec<String>>,
    subscribed: BTreeMap<String, bool>,
}

impl<'a> Client<'a> {
    async fn new(app: &'a TestApp) -> Self {
        let socket = app.open_socket("alice").await;
        Self { app, socket, newest: BTreeMap::new(), got: BTreeMap::new(), subscribed: BTreeMap::new() }
    }

    async fn reconnect(&mut self) {
        self.socket = self.app.open_socket("alice").await;
        self.subscribed.clear();
    }

    async fn subscribe(&mut self, session: &str) {
        if !self.subscribed.contains_key(session) {
            self.subscribed.insert(session.to_owned(), false);
            let since = self.newest.get(session).copied().unwrap_or(0);
            self.socket.say_of(session, "subscribe", json!({ "since": since })).await;
        }
    }

    async fn unsubscribe(&mut self, session: &str) {
        if self.subscribed.contains_key(session) {
            self.socket.say_of(session, "unsubscribe", json!({})).await;
            while self.subscribed.contains_key(session) {
                self.take().await;
            }
        }
    }

    /// Takes one frame.
    async fn take(&mut self) {
        let frame: Value = self.socket.next().await;
        let session = frame["sessionId"].as_str().expect("a session").to_owned();
        let has_begun = self.subscribed.get(&session).copied();
        match frame["type"].as_str().unwrap() {
            "subscribed" => {
                assert_eq!((has_begun, &frame["data"]["resumed"]), (Some(false), &json!(true)), "{frame}");
                self.subscribed.insert(session, true);
            }
            "unsubscribed" => {
                assert_eq!(frame["data"]["code"], 1000, "{frame}");
                self.subscribed.remove(&session);
            }
            _ => {
                assert_eq!(has_begun, Some(true), "{frame}");
                let newest = self.newest.entry(session.clone()).or_default();
                assert_eq!(frame["seq"], json!(*newest + 1), "{frame}");
                *newest += 1;
                if frame["type"] == "message" {
                    let content = frame["data"]["content"].as_str().unwrap().to_owned();
                    self.got.entry(session).or_default().push(content);
                }
            }
        }
    }
}

async fn nothing_is_lost_or_doubled(app: &TestApp, seed: u64) {
    let mut script = Script(seed);
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        sessions.push(app.open_session("alice").await);
    }
    let mut said: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut client = Client::new(app).await;
    for step in 0..STEPS {
        let session = sessions[script.below(SESSIONS)].clone();
        match script.below(10) {
            0 => client.reconnect().await,
            1 => client.unsubscribe(&session).await,
            2..=4 => client.subscribe(&session).await,
            _ => {
                app.say("alice", &session, &step.to_string()).await;
                said.entry(session).or_default().push(step.to_string());
            }
        }
    }
    for session in &sessions {
        client.subscribe(session).await;
    }
    let expected = |session: &String| 1 + said.get(session).map_or(0, |said| said.len() as u64);
    let is_complete = |client: &Client<'_>| {
        sessions.iter().all(|session| client.newest.get(session) == Some(&expected(session)))
            && client.subscribed.values().all(|has_begun| *has_begun)
    };
    while !is_complete(&client) {
        client.take().await;
    }
    client.socket.settle().await;
    assert_eq!(client.got, said);
}

on_every_store! {
    async fn a_random_script_loses_and_doubles_nothing(app) {
        for seed in [0x9e37_79b9, 7, 0xdead_beef] {
            nothing_is_lost_or_doubled(app, seed).await;
        }
    }
}
