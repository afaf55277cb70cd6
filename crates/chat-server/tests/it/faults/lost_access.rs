//! A token ends, a person is signed out or blocked, a session goes to another agent, or an agent is deactivated: the
//! sockets that may not see it any more are closed at once, on whichever server they are, and get nothing that happens
//! afterwards.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use chat_loadgen::token::TokenRole;
use futures_util::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};
use test_servers::postgres::TestDatabase;
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
use crate::support::{ExtendedSocket, PATIENCE, Person, connect, eventually, try_connect};

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
    let visitor = Person::new(address, &cluster.short_token("alice", TokenRole::User, lifetime));
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
    let (bob, carol) = (cluster.bob(), cluster.person("carol", TokenRole::Agent));
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
    let (bob, carol) = (cluster.bob(), cluster.person("carol", TokenRole::Agent));
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
    let (alice, bob, root) = (cluster.alice(), cluster.bob(), cluster.person("root", TokenRole::Admin));
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

/// Checks that the sockets of a person end on all servers soon after an admin has ended their access at one, that every
/// server refuses the person then, and that nothing of theirs is recorded.
#[expect(clippy::print_stdout, reason = "the figures of a test")]
async fn assert_end_of_access(
    cluster: &Cluster,
    who: &Person,
    session: &str,
    end: (Method, &str),
    expected: (u16, u16),
) {
    let ((method, path), (code, status)) = (end, expected);
    let url = format!("/api/chat/sessions/{session}/messages");
    let servers: Vec<SocketAddr> = cluster.addresses().iter().map(|address| *address.borrow()).collect();
    let witnesses = at_all(cluster, who, session).await;
    let root = cluster.person("root", TokenRole::Admin);
    let ended = root.at(servers[1]).request(method, path).send().await.unwrap();
    let since = SystemTime::now();
    assert_eq!(ended.status(), 204);
    assert_eq!(who.at(servers[1]).get(&url).await.status(), status, "at once, where it was done");
    // There is always something that could be shown. The last of it is complete before anything is counted.
    let is_over = AtomicBool::new(false);
    let closing = async {
        let witnesses = witnesses.join_all().await;
        is_over.store(true, Ordering::Relaxed);
        witnesses
    };
    let talk = async {
        while !is_over.load(Ordering::Relaxed) {
            Person::json(root.post(&url, &json!({ "content": "after" })).await, 201).await;
        }
    };
    let (witnesses, ()) = tokio::join!(closing, talk);
    assert_eq!(witnesses.len(), 2 * SERVERS);
    let mut last = Duration::ZERO;
    for seen in &witnesses {
        assert_eq!(seen.code, Some(code), "{seen:?}");
        last = last.max(seen.ended.duration_since(since).unwrap_or_default());
    }
    println!("{path}: the last of {} sockets was closed {last:?} after the response", witnesses.len());
    assert!(last <= CLOSED_WITHIN, "{last:?}");
    let (before, _) = root.all_messages(session).await;
    for server in &servers {
        let person = who.at(*server);
        assert_eq!(person.post(&url, &json!({ "content": "no more" })).await.status(), status);
        assert!(try_connect(&person, session, "").await.is_err());
    }
    let (after, _) = root.all_messages(session).await;
    assert_eq!(before.len(), after.len(), "nothing was recorded");
}

/// Checks both ways to end access, and how a person comes back.
async fn assert_revocations_hold_on_all_servers(mut cluster: Cluster) {
    let session = cluster.open_sessions(1).await.remove(0);
    let (alice, bob, root) = (cluster.alice(), cluster.bob(), cluster.person("root", TokenRole::Admin));
    let (sign_out, block) = ("/api/chat/people/alice/sign-out", "/api/chat/people/bob/block");
    assert_end_of_access(&cluster, &alice, &session, (Method::POST, sign_out), (4401, 401)).await;
    assert_end_of_access(&cluster, &bob, &session, (Method::PUT, block), (4403, 403)).await;
    // A server that starts knows it before its first request.
    let (status, log) = cluster.terminate(0).ended().await;
    assert!(status.success(), "{log:?}");
    cluster.start_again(0).await;
    let url = format!("/api/chat/sessions/{session}");
    for address in cluster.addresses() {
        let address = *address.borrow();
        assert_eq!(alice.at(address).get(&url).await.status(), 401, "her token does not say when it was issued");
        let refused = Person::json(bob.at(address).get(&url).await, 403).await;
        assert_eq!(refused["error"]["code"], "BLOCKED");
        // A token of the second of the sign-out is refused too.
        eventually("a newer token is accepted", async || {
            let newer = cluster.short_token("alice", TokenRole::User, Duration::from_hours(1));
            Person::new(address, &newer).get(&url).await.status() == 200
        })
        .await;
    }
    let unblocked = root.at(*cluster.addresses()[1].borrow()).request(Method::DELETE, block).send().await.unwrap();
    assert_eq!(unblocked.status(), 204);
    for address in cluster.addresses() {
        let bob = bob.at(*address.borrow());
        eventually("the block is taken back everywhere", async || bob.get(&url).await.status() == 200).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres and Redis: cargo xtask test"]
async fn a_sign_out_and_a_block_close_sockets_on_all_servers_and_nothing_follows() {
    assert_revocations_hold_on_all_servers(Cluster::with_redis(SERVERS).await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_sign_out_and_a_block_hold_on_all_servers_without_redis_too() {
    assert_revocations_hold_on_all_servers(Cluster::start(SERVERS, TestDatabase::empty(), &[]).await).await;
}
