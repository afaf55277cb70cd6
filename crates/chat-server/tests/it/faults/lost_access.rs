//! A token ends, a session goes to somebody else, or an agent is deactivated: the sockets that may not see it any more are
//! closed at once, on whichever server they are, and hear of nothing that happens afterwards.

use std::time::{Duration, SystemTime};

use chat_loadgen::token::Role;
use futures_util::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};
use test_postgres::TestDatabase;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::cluster::Cluster;
use super::followers::Followers;
use super::traffic::{Traffic, assert_in_time};
use super::verdict;
use crate::support::{ExtendedSocket, PATIENCE, Person, connect};

/// Without the event that takes the right away, or the timer of the token, it would be the recheck, a minute later.
const CLOSED_WITHIN: Duration = Duration::from_secs(20);
const MESSAGES_PER_SECOND: u32 = 20;
const SERVERS: usize = 2;

/// What came on a socket until the server closed it.
#[derive(Debug)]
struct Witness {
    events: Vec<Value>,
    code: Option<u16>,
    ended: SystemTime,
}

async fn witness<S: AsyncRead + AsyncWrite + Unpin>(mut socket: WebSocketStream<S>) -> Witness {
    let mut events = Vec::new();
    loop {
        match timeout(PATIENCE, socket.next()).await.expect("something in time") {
            Some(Ok(Message::Text(text))) => events.push(serde_json::from_str(&text).unwrap()),
            Some(Ok(Message::Close(frame))) => {
                let (code, ended) = (frame.map(|frame| frame.code.into()), SystemTime::now());
                return Witness { events, code, ended };
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Witness { events, code: None, ended: SystemTime::now() },
        }
    }
}

/// A socket of each mode at each server.
async fn at_all(cluster: &Cluster, person: &Person, session: &str) -> JoinSet<Witness> {
    let mut witnesses = JoinSet::new();
    for address in cluster.addresses() {
        let person = person.at(*address.borrow());
        let extended = ExtendedSocket::open(person.addr(), &person.token, session, "").await.unwrap();
        witnesses.spawn(witness(extended.into_inner()));
        witnesses.spawn(witness(connect(&person, session, "").await));
    }
    witnesses
}

fn moment(text: &Value) -> SystemTime {
    OffsetDateTime::parse(text.as_str().unwrap(), &Rfc3339).unwrap().into()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres and Redis: cargo xtask test"]
async fn a_token_that_ends_closes_its_sockets_on_all_servers_and_nothing_follows() {
    let lifetime = Duration::from_secs(6);
    let cluster = Cluster::with_redis(SERVERS).await;
    let sessions = cluster.open_sessions(1).await;
    let followers = Followers::start(&cluster, &sessions, 2).await;
    let traffic = Traffic::paced(&cluster, &sessions, MESSAGES_PER_SECOND);
    traffic.more(20).await;
    let address = *cluster.addresses()[0].borrow();
    let visitor = Person::new(address, &cluster.short_token("alice", Role::User, lifetime));
    let hello = ExtendedSocket::open(address, &visitor.token, &sessions[0], "").await.unwrap().hello;
    let ends = moment(&json!(hello.token_expires_at));
    let witnesses = at_all(&cluster, &visitor, &sessions[0]).await.join_all().await;
    traffic.more(20).await;
    let (answers, _) = verdict::check_followed(&cluster, traffic, followers).await;
    assert_in_time(&answers, &[]);

    assert_eq!(witnesses.len(), 2 * SERVERS);
    for seen in witnesses {
        assert_eq!(seen.code, Some(4401), "{seen:?}");
        let late = seen.ended.duration_since(ends).expect("not before the token's end");
        let messages = seen.events.iter().filter(|event| event["type"] == "message");
        let last = messages.clone().map(|message| moment(&message["data"]["timestamp"])).max();
        println!("{} messages, and closed {late:?} after the token's end", messages.count());
        assert!(late <= CLOSED_WITHIN, "{late:?}");
        assert!(last.expect("messages came before") < ends, "a message after the token's end: {last:?} and {ends:?}");
    }
}

/// Whether a socket was closed for lost access, the change itself being the last that it heard.
#[expect(clippy::print_stdout, reason = "the figures of a test")]
fn assert_shut_out(seen: &Witness, since: SystemTime, agent: &str) {
    assert_eq!(seen.code, Some(4403), "{seen:?}");
    let after = seen.ended.duration_since(since).unwrap_or_default();
    let durable = |event: &&Value| !["hello", "heartbeat", "typing"].contains(&event["type"].as_str().unwrap());
    let last = seen.events.iter().rfind(durable).expect("an event");
    println!("{} frames, and closed {after:?} after the change", seen.events.len());
    assert_eq!((&last["type"], &last["data"]["agentId"]), (&json!("session_update"), &json!(agent)), "{last}");
    assert!(after <= CLOSED_WITHIN, "{after:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres and Redis: cargo xtask test"]
async fn a_session_that_is_handed_over_closes_the_sockets_of_its_agent_on_all_servers_and_nothing_follows() {
    let cluster = Cluster::with_redis(SERVERS).await;
    let sessions = cluster.open_sessions(1).await;
    let (bob, carol) = (cluster.bob(), cluster.person("carol", Role::Agent));
    // An agent is entered in the directory by their first request.
    Person::json(carol.get("/api/chat/sessions").await, 200).await;
    let followers = Followers::start(&cluster, &sessions, 2).await;
    let witnesses = at_all(&cluster, &bob, &sessions[0]).await;
    let traffic = Traffic::paced(&cluster, &sessions, MESSAGES_PER_SECOND);
    traffic.more(40).await;
    let since = SystemTime::now();
    let url = format!("/api/chat/sessions/{}", sessions[0]);
    Person::json(bob.put(&format!("{url}/transfer"), &json!({ "agentId": "carol" })).await, 200).await;
    let witnesses = witnesses.join_all().await;
    // Alice goes on.
    traffic.more(20).await;
    let (answers, _) = verdict::check_followed(&cluster, traffic, followers).await;
    assert_in_time(&answers, &[Some(403), Some(404)]);
    assert_eq!(witnesses.len(), 2 * SERVERS);
    for seen in &witnesses {
        assert_shut_out(seen, since, "carol");
    }
    let url = format!("{url}/messages");
    Person::json(carol.post(&url, &json!({ "content": "it is mine now" })).await, 201).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres and Redis: cargo xtask test"]
async fn a_waiting_session_that_is_claimed_closes_the_sockets_of_other_agents_on_all_servers() {
    let cluster = Cluster::with_redis(SERVERS).await;
    let session = cluster.alice().open_session("waiting").await;
    let (bob, carol) = (cluster.bob(), cluster.person("carol", Role::Agent));
    let witnesses = at_all(&cluster, &carol, &session).await;
    let since = SystemTime::now();
    let url = format!("/api/chat/sessions/{session}");
    Person::json(bob.put(&format!("{url}/assign"), &json!({ "agentId": "bob" })).await, 200).await;
    Person::json(bob.post(&format!("{url}/messages"), &json!({ "content": "not for Carol" })).await, 201).await;
    let witnesses = witnesses.join_all().await;
    assert_eq!(witnesses.len(), 2 * SERVERS);
    for seen in &witnesses {
        assert_shut_out(seen, since, "bob");
    }
}

/// Checks that an agent's sockets on all servers end soon after they were deactivated at one of them, and that they can
/// change nothing from that moment on.
#[expect(clippy::print_stdout, reason = "the figures of a test")]
async fn assert_deactivation_ends_sockets(cluster: &Cluster) {
    let session = cluster.open_sessions(1).await.remove(0);
    let (alice, bob, root) = (cluster.alice(), cluster.bob(), cluster.person("root", Role::Admin));
    let witnesses = at_all(cluster, &bob, &session).await;
    let url = format!("/api/chat/sessions/{session}/messages");
    let hello = Person::json(alice.post(&url, &json!({ "content": "hello" })).await, 201).await;
    Person::json(bob.post(&url, &json!({ "content": "before" })).await, 201).await;
    let deactivated = root.request(Method::DELETE, "/api/chat/agents/bob").send().await.unwrap();
    assert_eq!(deactivated.status(), 200);
    let since = SystemTime::now();
    for address in cluster.addresses() {
        let bob = bob.at(*address.borrow());
        let refused = Person::json(bob.post(&url, &json!({ "content": "after" })).await, 403).await;
        assert_eq!(refused["error"]["code"], "AGENT_DEACTIVATED");
    }
    let witnesses = witnesses.join_all().await;
    assert_eq!(witnesses.len(), 2 * SERVERS);
    for seen in witnesses {
        assert_eq!(seen.code, Some(4403), "{seen:?}");
        let after = seen.ended.duration_since(since).unwrap_or_default();
        println!("closed {after:?} after the deactivation");
        assert!(after <= CLOSED_WITHIN, "{after:?}");
    }
    let page = Person::json(alice.get(&url).await, 200).await;
    let contents: Vec<&Value> = page["messages"].as_array().unwrap().iter().map(|it| &it["content"]).collect();
    assert_eq!(contents, [&hello["content"], &json!("before")]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres and Redis: cargo xtask test"]
async fn a_deactivated_agent_loses_their_sockets_on_all_servers_and_changes_nothing() {
    let cluster = Cluster::with_redis(SERVERS).await;
    assert_deactivation_ends_sockets(&cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_deactivated_agent_loses_their_sockets_on_all_servers_without_redis_too() {
    let cluster = Cluster::start(SERVERS, TestDatabase::empty(), &[]).await;
    assert_deactivation_ends_sockets(&cluster).await;
}
