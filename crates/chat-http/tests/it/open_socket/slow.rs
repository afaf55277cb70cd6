//! A client of a socket of many sessions that reads slowly, or nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use chat_http::{HttpSettings, SocketSettings};
use serde_json::{Value, json};

use crate::support::app::Options;
use crate::support::raw::{RawClient, RawFrame, client_frame};
use crate::support::{Store, TestApp};

const SESSIONS: usize = 12;
const MESSAGES: u64 = 60;

/// No socket is closed for being slow, and rights are checked often.
fn patient() -> Options {
    let sockets = SocketSettings {
        ping_every: Duration::from_secs(5),
        silence_limit: Duration::from_mins(2),
        write_limit: Duration::from_mins(2),
        recheck_every: Duration::from_millis(50),
        ..SocketSettings::default()
    };
    Options { http: HttpSettings { sockets, ..HttpSettings::default() }, ..Options::default() }
}

async fn say(client: &mut RawClient, kind: &str, session: &str) {
    let frame = json!({ "type": kind, "sessionId": session }).to_string();
    client.send(&client_frame(RawFrame::TEXT, frame.as_bytes())).await;
}

/// The next text frame.
async fn next(client: &mut RawClient) -> Value {
    loop {
        let frame = client.read_frame().await;
        assert_ne!(frame.opcode, RawFrame::CLOSE, "{:?}", frame.close());
        if frame.opcode == RawFrame::TEXT {
            return serde_json::from_slice(&frame.payload).unwrap();
        }
    }
}

async fn subscribed_to(app: &TestApp, who: &str, sessions: &[String]) -> RawClient {
    let mut client = RawClient::open_multiplexed(&app.base, &app.token_of(who)).await;
    for session in sessions {
        say(&mut client, "subscribe", session).await;
    }
    let mut begun = 0;
    while begun < sessions.len() {
        begun += usize::from(next(&mut client).await["type"] == "subscribed");
    }
    client
}

/// Long messages in all sessions, one after the other: more than the kernel and all queues keep.
async fn fill(app: &TestApp, sessions: &[String]) {
    let content = "\u{1f642}".repeat(4_000);
    for number in 0..MESSAGES {
        for session in sessions {
            app.say("alice", session, &format!("{number} {content}")).await;
        }
    }
}

async fn many_sessions(app: &TestApp) -> Vec<String> {
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        sessions.push(app.open_session("alice").await);
    }
    sessions
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_reads_late_gets_everything_in_order() {
    let app = TestApp::with(Store::Memory, patient()).await;
    let sessions = many_sessions(&app).await;
    let mut late = subscribed_to(&app, "alice", &sessions).await;
    fill(&app, &sessions).await;
    let mut newest: BTreeMap<String, u64> = sessions.iter().map(|session| (session.clone(), 1)).collect();
    while newest.values().any(|newest| *newest < MESSAGES + 1) {
        let frame = next(&mut late).await;
        if frame["type"] == "message" {
            let newest = newest.get_mut(frame["sessionId"].as_str().unwrap()).unwrap();
            *newest += 1;
            assert_eq!(frame["seq"], json!(*newest));
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_of_a_lost_session_are_not_written_and_the_rest_are() {
    let app = TestApp::with(Store::Memory, patient()).await;
    let sessions = many_sessions(&app).await;
    let mut carol = subscribed_to(&app, "carol", &sessions).await;
    fill(&app, &sessions).await;
    // The claim is an event behind all that waits: it is the recheck that finds the right lost.
    let lost = &sessions[0];
    app.put("bob", &format!("/api/chat/sessions/{lost}/assign"), json!({ "agentId": "bob" })).await.expect(200);
    while app.hub.subscriptions() == SESSIONS {
        tokio::task::yield_now().await;
    }
    let (mut of_lost, mut is_over) = (0, false);
    let mut others: BTreeMap<String, u64> = sessions[1..].iter().map(|session| (session.clone(), 1)).collect();
    while others.values().any(|newest| *newest < MESSAGES + 1) {
        let frame = next(&mut carol).await;
        let session = frame["sessionId"].as_str().unwrap_or_default();
        match frame["type"].as_str().unwrap() {
            "unsubscribed" => {
                assert_eq!((session, &frame["data"]["code"]), (lost.as_str(), &json!(4403)));
                is_over = true;
            }
            "message" if session == lost => {
                assert!(!is_over, "it is over");
                of_lost += 1;
            }
            "message" => {
                let newest = others.get_mut(session).unwrap();
                *newest += 1;
                assert_eq!(frame["seq"], json!(*newest));
            }
            _ => {}
        }
    }
    assert!(is_over && of_lost < MESSAGES, "{of_lost} came");
    app.stop().await;
}
