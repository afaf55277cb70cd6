//! A client that reaches Redis can delay events and do nothing else: what is forged there, said again, or said by a server on a
//! copy of the database, is counted and not shown, and what really happened is shown.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};
use test_servers::postgres::{TestDatabase, find_programs};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::block_in_place;
use tokio::time::timeout;

use super::cluster::Cluster;
use crate::support::{ExtendedSocket, PATIENCE, Person, Scrape, TestServer};

/// The length of a message's signature.
const SIGNATURE: usize = 32;

/// A connection that speaks Redis's protocol (RESP2), whose words may be any bytes.
struct Wire(BufReader<TcpStream>);

impl Wire {
    async fn to(cluster: &Cluster) -> Self {
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, cluster.redis().port()));
        Self(BufReader::new(TcpStream::connect(addr).await.unwrap()))
    }

    async fn send(&mut self, words: &[&[u8]]) {
        let mut command = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            command.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            command.extend_from_slice(word);
            command.extend_from_slice(b"\r\n");
        }
        self.0.get_mut().write_all(&command).await.unwrap();
    }

    /// One part of an answer: a text, or the line of a number.
    async fn part(&mut self) -> Vec<u8> {
        let mut line = Vec::new();
        self.0.read_until(b'\n', &mut line).await.unwrap();
        line.truncate(line.len().saturating_sub(2));
        let Some(length) = line.strip_prefix(b"$") else { return line };
        let mut text = vec![0; std::str::from_utf8(length).unwrap().parse::<usize>().unwrap() + 2];
        self.0.read_exact(&mut text).await.unwrap();
        text.truncate(text.len() - 2);
        text
    }

    async fn publish(&mut self, channel: &str, message: &[u8]) {
        self.send(&[b"PUBLISH", channel.as_bytes(), message]).await;
        assert!(self.part().await.starts_with(b":"));
    }
}

/// A channel, and what was published there.
type Published = (String, Vec<u8>);

/// Everything that is published, in its order and once each.
#[derive(Clone)]
struct Record(Arc<watch::Sender<Vec<Published>>>);

impl Record {
    async fn of(cluster: &Cluster) -> Self {
        let mut wire = Wire::to(cluster).await;
        wire.send(&[b"PSUBSCRIBE", b"*"]).await;
        for _ in 0..4 {
            wire.part().await;
        }
        let record = Self(Arc::new(watch::Sender::new(Vec::new())));
        let notes = record.clone();
        tokio::spawn(async move {
            loop {
                // The number of parts, the kind, the pattern, the channel, the message.
                let [_, _, _, channel, message] =
                    [wire.part().await, wire.part().await, wire.part().await, wire.part().await, wire.part().await];
                let note = (String::from_utf8(channel).unwrap(), message);
                notes.0.send_if_modified(|all| {
                    let is_new = !all.contains(&note);
                    if is_new {
                        all.push(note);
                    }
                    is_new
                });
            }
        });
        record
    }

    fn all(&self) -> Vec<Published> {
        self.0.borrow().clone()
    }

    /// The newest message with this in it, once there is one: its channel, what it says, and its signature.
    async fn newest(&self, part: &str) -> (String, Value, Vec<u8>) {
        let find = |all: &[Published]| {
            all.iter().rev().find_map(|(channel, message)| {
                let (json, signature) = message.split_at(message.len().saturating_sub(SIGNATURE));
                let text = std::str::from_utf8(json).ok().filter(|text| text.contains(part))?;
                Some((channel.clone(), serde_json::from_str(text).ok()?, signature.to_vec()))
            })
        };
        let mut all = self.0.subscribe();
        let all = timeout(PATIENCE, all.wait_for(|all| find(all).is_some())).await.expect("it is published").unwrap();
        find(&all).unwrap()
    }
}

async fn say(person: &Person, session: &str, content: &str) {
    let sent = person.post(&format!("/api/chat/sessions/{session}/messages"), &json!({ "content": content })).await;
    Person::json(sent, 201).await;
}

/// The next frame is this message, at this position.
async fn assert_next(socket: &mut ExtendedSocket, content: &str, seq: u64) {
    let frame = socket.next().await;
    assert_eq!(
        (&frame["type"], &frame["data"]["content"], &frame["seq"]),
        (&json!("message"), &json!(content), &json!(seq))
    );
}

async fn rejected(server: &TestServer, reason: &str) -> f64 {
    Scrape::of(server).await.number(&format!("chat_redis_rejected_total{{reason=\"{reason}\"}}"))
}

fn signed_as(message: &Value, signature: &[u8]) -> Vec<u8> {
    [message.to_string().as_bytes(), signature].concat()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres and Redis: cargo xtask test"]
async fn events_forged_in_redis_are_counted_and_the_real_message_is_shown() {
    let cluster = Cluster::with_redis(2).await;
    let record = Record::of(&cluster).await;
    let mut wire = Wire::to(&cluster).await;
    let alice = cluster.alice();
    let session = alice.open_session("forged").await;
    let mut socket = ExtendedSocket::open(cluster.node(1).addr, &alice.token, &session, "?since=1").await.unwrap();
    say(&alice, &session, "first").await;
    assert_next(&mut socket, "first", 2).await;

    // The next position, with another text: without a signature, with the old signature, and with a guessed signature.
    let (channel, mut forged, signature) = record.newest("first").await;
    forged["seq"] = json!(3);
    forged["counter"] = json!(forged["counter"].as_u64().unwrap() + 1);
    forged["payload"]["message"]["content"] = json!("forged");
    for signature in [&[][..], &signature, &[0; SIGNATURE]] {
        wire.publish(&channel, &signed_as(&forged, signature)).await;
    }
    // A receipt in its place, and a server that says it has ended, or that everything has been heard.
    forged["kind"] = json!("receipt");
    forged["payload"] = json!({
        "at": 1, "actor": "bob",
        "receipt": { "reader": "bob", "status": "read", "upTo": 2, "messages": [] },
    });
    wire.publish(&channel, &signed_as(&forged, &signature)).await;
    let (nodes, mut heartbeat, signature) = record.newest("heartbeat").await;
    heartbeat["counter"] = json!(heartbeat["counter"].as_u64().unwrap() + 1_000);
    heartbeat["counters"] = json!(vec![u64::MAX; 64]);
    for kind in ["heartbeat", "goodbye"] {
        heartbeat["kind"] = json!(kind);
        wire.publish(&nodes, &signed_as(&heartbeat, &signature)).await;
    }
    wire.publish(&channel, b"nonsense").await;

    say(&alice, &session, "second").await;
    assert_next(&mut socket, "second", 3).await;
    say(&alice, &session, "third").await;
    assert_next(&mut socket, "third", 4).await;
    assert!(rejected(cluster.node(1), "signature").await >= 5.0);
    assert!(rejected(cluster.node(1), "malformed").await >= 2.0);
    assert!(rejected(cluster.node(1), "replayed").await < 1.0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres and Redis: cargo xtask test"]
async fn events_published_again_in_redis_double_and_hide_nothing() {
    let cluster = Cluster::with_redis(2).await;
    let record = Record::of(&cluster).await;
    let mut wire = Wire::to(&cluster).await;
    let alice = cluster.alice();
    let session = alice.open_session("said again").await;
    let mut socket = ExtendedSocket::open(cluster.node(1).addr, &alice.token, &session, "?since=1").await.unwrap();
    for seq in 2..12 {
        let content = format!("message {seq}");
        say(&alice, &session, &content).await;
        assert_next(&mut socket, &content, seq).await;
        for (channel, message) in record.all() {
            wire.publish(&channel, &message).await;
        }
    }
    // Backwards, and on the other servers' own channel.
    for (channel, message) in record.all().into_iter().rev() {
        wire.publish(&channel, &message).await;
        wire.publish("chat:nodes", &message).await;
    }
    say(&alice, &session, "the last one").await;
    assert_next(&mut socket, "the last one", 12).await;
    assert!(rejected(cluster.node(1), "replayed").await >= 10.0);
    assert!(rejected(cluster.node(1), "signature").await >= 10.0, "those that were on another channel");
}

/// A server on a copy and one on the original, both with sockets of the same session: neither shows what the other does.
async fn neither_hears_the_other(cluster: &Cluster, copy: &TestServer, session: &str, next: u64) {
    let alice = cluster.alice();
    let in_copy = alice.at(copy.addr);
    let open = |addr| ExtendedSocket::open(addr, &alice.token, session, "");
    let (mut here, mut there) = (open(cluster.node(1).addr).await.unwrap(), open(copy.addr).await.unwrap());
    assert_eq!((here.hello.seq, there.hello.seq), (next - 1, next - 1), "it is the same session");
    // The same position on both, the copy first.
    say(&in_copy, session, "in the copy").await;
    assert_next(&mut there, "in the copy", next).await;
    say(&alice, session, "in the original").await;
    assert_next(&mut here, "in the original", next).await;
    say(&in_copy, session, "in the copy again").await;
    assert_next(&mut there, "in the copy again", next + 1).await;
    assert!(rejected(cluster.node(1), "database").await > 0.0);
    assert!(rejected(copy, "database").await > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres and Redis: cargo xtask test"]
async fn a_copy_of_the_database_on_the_same_redis_is_not_heard() {
    let mut cluster = Cluster::with_redis(2).await;
    let alice = cluster.alice();
    let session = alice.open_session("copied").await;
    say(&alice, &session, "before").await;

    // From a dump, while the servers run.
    let restored = TestDatabase::empty();
    let pipe = format!(
        "'{0}/pg_dump' --format=custom '{1}' | '{0}/pg_restore' --no-owner --exit-on-error --dbname '{2}'",
        find_programs().unwrap().display(),
        cluster.database.url(),
        restored.url()
    );
    assert!(block_in_place(|| Command::new("sh").args(["-c", &pipe]).status().unwrap().success()));
    let copy = cluster.start_on_copy("restored", &restored).await;
    neither_hears_the_other(&cluster, &copy, &session, 3).await;
    copy.kill();

    // By the database server itself, for which nothing may be connected.
    for node in 0..2 {
        assert!(cluster.terminate(node).ended().await.0.success());
    }
    let template = block_in_place(|| cluster.database.copy());
    for node in 0..2 {
        cluster.start_again(node).await;
    }
    let copy = cluster.start_on_copy("template", &template).await;
    neither_hears_the_other(&cluster, &copy, &session, 4).await;
}
