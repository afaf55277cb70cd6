//! `kill -9` while people write: nothing that was acknowledged is lost, doubled or out of order.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::{PATIENCE, Person, TestServer, connect, next_event};

const KILLS: usize = 10;
const SENDERS: usize = 8;
const SESSIONS: usize = 4;
/// Acknowledged messages before each kill; the senders are in the middle of the next ones then.
const MESSAGES_A_LIFE: usize = 40;
/// A message that was acknowledged.
struct Acknowledged {
    session: usize,
    key: String,
    id: String,
    /// Whether an earlier request had sent it, whose answer was lost with the server.
    replayed: bool,
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_kills_under_eight_senders_lose_nothing_and_double_nothing() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let mut server = TestServer::start_on(&data_dir, |_| {}).await;
    let alice = server.person("alice", "user");
    let mut sessions = Vec::new();
    for number in 0..SESSIONS {
        sessions.push(alice.open_session(&format!("session {number}")).await);
    }
    let sessions = Arc::new(sessions);

    let (address, addresses) = watch::channel(server.addr);
    let (acknowledge, mut acknowledged) = mpsc::unbounded_channel();
    let stop = Arc::new(AtomicBool::new(false));
    let mut senders = JoinSet::new();
    for number in 0..SENDERS {
        let sender = Sender {
            number,
            person: alice.clone(),
            sessions: Arc::clone(&sessions),
            addresses: addresses.clone(),
            acknowledge: acknowledge.clone(),
            stop: Arc::clone(&stop),
        };
        senders.spawn(sender.run());
    }
    drop(acknowledge);

    let mut kept = Vec::new();
    let mut ready_after = Vec::new();
    for _ in 0..KILLS {
        for _ in 0..MESSAGES_A_LIFE {
            kept.push(timeout(PATIENCE, acknowledged.recv()).await.expect("messages are acknowledged").unwrap());
        }
        server.kill();
        server = TestServer::start_on(&data_dir, |_| {}).await;
        ready_after.push(server.ready_after);
        address.send(server.addr).unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(sender) = senders.join_next().await {
        sender.unwrap();
    }
    while let Some(message) = acknowledged.recv().await {
        kept.push(message);
    }

    let slowest = ready_after.iter().max().unwrap();
    let repeated = kept.iter().filter(|message| message.replayed).count();
    println!(
        "{} messages over {KILLS} kills, {repeated} of them stored by a request whose answer was lost; ready again \
         after at most {slowest:?}",
        kept.len(),
    );
    let alice = alice.at(server.addr);
    for (number, session) in sessions.iter().enumerate() {
        let kept: Vec<&Acknowledged> = kept.iter().filter(|message| message.session == number).collect();
        verify_session(&alice, session, &kept).await;
    }
}

/// Someone who sends one message after the other and repeats each under its key until it is acknowledged.
struct Sender {
    number: usize,
    person: Person,
    sessions: Arc<Vec<String>>,
    addresses: watch::Receiver<SocketAddr>,
    acknowledge: mpsc::UnboundedSender<Acknowledged>,
    stop: Arc<AtomicBool>,
}

impl Sender {
    async fn run(mut self) {
        let mut sent = 0;
        while !self.stop.load(Ordering::Relaxed) {
            let session = (self.number + sent) % self.sessions.len();
            let key = format!("sender-{}-message-{sent:06}", self.number);
            let message = self.send_until_acknowledged(session, key).await;
            self.acknowledge.send(message).unwrap();
            sent += 1;
        }
    }

    async fn send_until_acknowledged(&mut self, session: usize, key: String) -> Acknowledged {
        loop {
            let addr = *self.addresses.borrow_and_update();
            if let Some(answer) = send(&self.person.at(addr), &self.sessions[session], &key).await {
                let (status, replayed) = (answer.status(), answer.headers().contains_key("Idempotency-Replayed"));
                // Without its whole body an answer is none: the connection broke.
                if let Ok(body) = answer.json::<Value>().await {
                    assert_eq!(status, 201, "{body}");
                    let id = body["id"].as_str().unwrap().to_owned();
                    return Acknowledged { session, key, id, replayed };
                }
            }
            // The server is gone; the next one has another port.
            if !self.addresses.has_changed().unwrap() {
                timeout(PATIENCE, self.addresses.changed()).await.expect("a server after the kill").unwrap();
            }
        }
    }
}

/// The text of a message is its key, so that a doubled message shows.
async fn send(person: &Person, session: &str, key: &str) -> Option<Response> {
    let path = format!("/api/chat/sessions/{session}/messages");
    let request = person.request(Method::POST, &path).header("Idempotency-Key", key).json(&json!({ "content": key }));
    request.send().await.ok()
}

async fn verify_session(alice: &Person, session: &str, kept: &[&Acknowledged]) {
    let (listed, head) = alice.all_messages(session).await;
    let contents: Vec<&str> = listed.iter().map(|message| message["content"].as_str().unwrap()).collect();
    let ids: HashMap<&str, &str> =
        listed.iter().map(|message| (message["content"].as_str().unwrap(), message["id"].as_str().unwrap())).collect();

    // Every message was repeated until it was acknowledged, so what is there is exactly what was acknowledged, once.
    assert_eq!(ids.len(), listed.len(), "a message is there twice: {contents:#?}");
    assert_eq!(listed.len(), kept.len(), "as many messages as were acknowledged");
    for message in kept {
        assert_eq!(ids.get(message.key.as_str()), Some(&message.id.as_str()), "{} was acknowledged", message.key);
    }
    // Opening the session took position 1. That many distinct messages below the head leave no gap.
    assert_eq!(head, 1 + listed.len() as u64, "positions are dense");

    // Each sender waited for an answer before the next message, so their order is the order here.
    for number in 0..SENDERS {
        let mine: Vec<&&str> =
            contents.iter().filter(|content| content.starts_with(&format!("sender-{number}-"))).collect();
        assert!(mine.is_sorted(), "the messages of sender {number} are out of order: {mine:#?}");
    }

    // A socket replays the log by position: the same messages in the same order.
    let mut socket = connect(alice, session, "?since=1").await;
    for message in &listed {
        let event = next_event(&mut socket).await;
        assert_eq!((&event["type"], &event["data"]["id"]), (&json!("message"), &message["id"]));
    }

    for message in [kept[0], kept[kept.len() - 1]] {
        let answer = send(alice, session, &message.key).await.unwrap();
        assert_eq!(answer.headers()["Idempotency-Replayed"], "true");
        assert_eq!(Person::json(answer, 201).await["id"], message.id.as_str());
    }
    assert_eq!(alice.all_messages(session).await.1, head, "a repetition takes no position");
}
