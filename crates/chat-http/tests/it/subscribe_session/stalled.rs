//! Peers that take nothing of what is sent to them.

use std::time::Duration;

use chat_domain::model::Role;
use chat_domain::ports::Clock;
use chat_http::{HttpSettings, SocketSettings};
use serde_json::{Value, json};

use crate::support::app::{Options, token};
use crate::support::raw::{RawClient, RawFrame};
use crate::support::{Store, TestApp};

/// Together more than the kernel keeps for a connection.
const MESSAGES: u64 = 300;
/// How many sockets of a person a session has at most.
const MOST_SOCKETS: usize = 10;

/// Heartbeats and rechecks come often, and no socket is closed for being slow.
fn patient() -> Options {
    let sockets = SocketSettings {
        ping_every: Duration::from_millis(10),
        silence_limit: Duration::from_mins(2),
        write_limit: Duration::from_mins(2),
        recheck_every: Duration::from_millis(100),
        ..SocketSettings::default()
    };
    Options { http: HttpSettings { sockets, ..HttpSettings::default() }, ..Options::default() }
}

/// A session with so many long messages that a socket whose peer reads nothing cannot be sent all of them.
async fn long_session(app: &TestApp) -> String {
    let session = app.open_session("alice").await;
    let content = "\u{1f642}".repeat(10_000);
    for _ in 0..MESSAGES {
        app.say("alice", &session, &content).await;
    }
    session
}

/// Reads the whole session over a socket, which takes longer than it takes until a peer that reads nothing is stalled.
async fn read_all(app: &TestApp, session: &str) {
    let mut reader = app.watch_extended("root", session, "?since=0").await.0;
    while reader.next().await["seq"] != json!(MESSAGES + 1) {}
}

/// What a peer that begins to read finds, until the close.
struct ReceivedFrames {
    /// The position of the last event.
    newest: u64,
    heartbeats_behind_it: u32,
    closed: (u16, String),
}

impl ReceivedFrames {
    async fn until_the_end(stalled: &mut RawClient) -> Self {
        let (mut newest, mut heartbeats_behind_it) = (0, 0);
        loop {
            let frame = stalled.read_frame().await;
            if let Some(closed) = frame.close() {
                return Self { newest, heartbeats_behind_it, closed };
            }
            if frame.opcode != RawFrame::TEXT {
                continue;
            }
            let frame: Value = serde_json::from_slice(&frame.payload).unwrap();
            match frame["seq"].as_u64() {
                Some(seq) => (newest, heartbeats_behind_it) = (seq, 0),
                None if frame["type"] == "heartbeat" => heartbeats_behind_it += 1,
                None => {}
            }
        }
    }

    /// What the kernel had taken came, and the rest of the frame that it had taken a part of, and nothing else.
    fn expect_nothing_that_waited(&self) {
        let Self { newest, heartbeats_behind_it, .. } = self;
        assert!((1..MESSAGES).contains(newest), "{newest} came, so the socket was never stalled");
        assert_eq!(*heartbeats_behind_it, 0, "they waited behind events, so these were written too");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queued_frames_are_dropped_when_the_token_ends() {
    let app = TestApp::with(Store::Memory, patient()).await;
    let session = long_session(&app).await;
    let now = app.clock.now();
    let token = token("alice", Role::User, now, now.plus(Duration::from_secs(3)));
    let mut stalled = RawClient::open_extended(&app.base, &format!("{session}?since=0"), &token).await;
    app.until_no_session_is_watched().await;

    let what_came = ReceivedFrames::until_the_end(&mut stalled).await;
    assert_eq!(what_came.closed, (4401, "token expired".to_owned()));
    what_came.expect_nothing_that_waited();
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queued_frames_are_dropped_when_access_is_found_lost() {
    let app = TestApp::with(Store::Memory, patient()).await;
    let session = long_session(&app).await;
    let mut stalled = RawClient::open_extended(&app.base, &format!("{session}?since=0"), &app.token_of("bob")).await;
    read_all(&app, &session).await;
    app.delete("root", "/api/chat/agents/bob").await.expect(200);
    app.until_no_session_is_watched().await;
    let what_came = ReceivedFrames::until_the_end(&mut stalled).await;
    assert_eq!(what_came.closed, (4403, "access lost".to_owned()));
    what_came.expect_nothing_that_waited();
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replaced_socket_whose_peer_reads_nothing_ends_at_once() {
    let app = TestApp::with(Store::Memory, patient()).await;
    let session = long_session(&app).await;
    let _stalled = RawClient::open_extended(&app.base, &format!("{session}?since=0"), &app.token_of("alice")).await;
    read_all(&app, &session).await;
    let mut others = Vec::new();
    for _ in 0..MOST_SOCKETS {
        others.push(app.watch("alice", &session, "").await);
    }
    let replaced = async {
        while app.hub.subscriptions() > MOST_SOCKETS {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), replaced).await.expect("the oldest socket is gone");
    app.stop().await;
}
