//! A desk of two hundred agents at two servers, one of which is killed: all of them have their inbox again soon, and it is
//! right.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_loadgen::token::TokenRole;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::cluster::Cluster;
use super::desk::Desk;
use super::{median_and_max, short_or_long};
use crate::support::{PATIENCE, Person};

/// What all workers together try. Some requests meet a session that is not in the state for it, and change nothing.
const REQUESTS_PER_SECOND: u32 = 66;
const WORKERS: usize = 10;
/// Active sessions of a worker.
const SESSIONS: usize = 8;
/// Before the server is killed, and from then on until the changes end.
const WORK: Duration = Duration::from_secs(5);
/// From the kill until the agents of that server have an inbox at the other one.
const BACK_WITHIN: Duration = Duration::from_secs(15);
/// From the last change until all inboxes are right and compared. If one waited for the next reading of all views, it would
/// take a minute.
const RIGHT_WITHIN: Duration = Duration::from_secs(30);
/// Inboxes that are compared with REST at the same time: the servers of a test are slow.
const COMPARED_AT_ONCE: usize = 8;
/// Before an inbox is opened again.
const REOPEN_PAUSE: Duration = Duration::from_millis(100);

/// How far the run is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum DeskPhase {
    Working,
    /// Nothing changes any more.
    Quiet,
}

/// An agent whose inbox is kept open.
struct Keeper {
    person: Person,
    addresses: Vec<SocketAddr>,
    /// The server that it is at.
    node: usize,
    phase: watch::Receiver<DeskPhase>,
    opened: watch::Sender<usize>,
    turn: Arc<Semaphore>,
}

/// What came of it.
struct Kept {
    /// When the last socket was open.
    back_at: Instant,
    right_at: Instant,
    sockets: usize,
    updates: u64,
    backwards: Vec<String>,
}

impl Keeper {
    async fn run(mut self) -> Kept {
        let (mut sockets, mut updates, mut backwards) = (0, 0, Vec::new());
        loop {
            let person = self.person.at(self.addresses[self.node]);
            if let Ok(mut desk) = Desk::open(person, &["mine", "waiting"]).await {
                sockets += 1;
                self.opened.send_modify(|opened| *opened += 1);
                let back_at = Instant::now();
                let right = self.until_right(&mut desk).await;
                updates += desk.updates;
                backwards.append(&mut desk.backwards);
                if right {
                    return Kept { back_at, right_at: Instant::now(), sockets, updates, backwards };
                }
            }
            self.node = (self.node + 1) % self.addresses.len();
            sleep(REOPEN_PAUSE).await;
        }
    }

    /// Whether it shows what REST shows once nothing changes any more; not when its socket has ended.
    async fn until_right(&mut self, desk: &mut Desk) -> bool {
        loop {
            if desk.settle().await.is_err() {
                return false;
            }
            if *self.phase.borrow() == DeskPhase::Quiet {
                let _turn = self.turn.acquire().await.unwrap();
                if desk.difference().await.is_none() {
                    return true;
                }
            }
        }
    }
}

/// Someone who opens, assigns, hands over, writes and closes at a rate, at the servers in turn; returns when each change was
/// accepted.
async fn work(
    admin: Person,
    customer: Person,
    addresses: Vec<SocketAddr>,
    agents: usize,
    mut phase: watch::Receiver<DeskPhase>,
) -> Vec<Instant> {
    let mut ticks = interval(Duration::from_secs(1) * u32::try_from(WORKERS).unwrap() / REQUESTS_PER_SECOND);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut sessions, mut accepted, mut node) = (Vec::<String>::new(), Vec::new(), 0);
    for step in 0_usize.. {
        tokio::select! {
            _ = phase.wait_for(|phase| *phase == DeskPhase::Quiet) => break,
            _ = ticks.tick() => {}
        }
        node = (node + 1) % addresses.len();
        let (admin, customer) = (admin.at(addresses[node]), customer.at(addresses[node]));
        let agent = format!("agent-{}", (step * 7 + sessions.len() * 13) % agents);
        let place = step * 5 % SESSIONS;
        let request = if sessions.len() < SESSIONS {
            customer.request(reqwest::Method::POST, "/api/chat/sessions").json(&json!({ "subject": "a question" }))
        } else {
            let path = format!("/api/chat/sessions/{}", sessions[place]);
            let put =
                |what: &str, body: Value| admin.request(reqwest::Method::PUT, &format!("{path}/{what}")).json(&body);
            match step % 6 {
                0 => put("assign", json!({ "agentId": agent })),
                1 => put("transfer", json!({ "agentId": agent })),
                2 => put("transfer", json!({ "agentId": null })),
                3 => {
                    sessions.swap_remove(place);
                    put("close", Value::Null)
                }
                _ => customer
                    .request(reqwest::Method::POST, &format!("{path}/messages"))
                    .json(&json!({ "content": format!("message {step}") })),
            }
        };
        // A server that is killed takes the request with it: the change took place, or it did not.
        let Ok(answer) = request.timeout(PATIENCE).send().await else { continue };
        if answer.status().is_success() {
            accepted.push(Instant::now());
        }
        if sessions.len() < SESSIONS
            && answer.status() == 201
            && let Ok(session) = answer.json::<Value>().await
            && session.get("subject").is_some()
        {
            sessions.push(session["id"].as_str().unwrap().to_owned());
        }
    }
    accepted
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres and Redis: cargo xtask test"]
async fn all_inboxes_of_a_desk_are_right_soon_after_one_of_two_servers_is_killed() {
    let agents = short_or_long(30, 200);
    let mut cluster = Cluster::with_redis(2).await;
    let (root, customer) = (cluster.person("root", TokenRole::Admin), cluster.person("alice", TokenRole::User));
    let addresses: Vec<SocketAddr> = cluster.addresses().iter().map(|address| *address.borrow()).collect();
    let (change, phase) = watch::channel(DeskPhase::Working);
    let (opened, turn) = (watch::Sender::new(0), Arc::new(Semaphore::new(COMPARED_AT_ONCE)));
    let mut keepers = JoinSet::new();
    for number in 0..agents {
        let sub = format!("agent-{number}");
        let put = root.put(&format!("/api/chat/agents/{sub}"), &json!({})).await;
        assert!(put.status().is_success());
        let person = root.with_token(cluster.token(&sub, TokenRole::Agent));
        let (addresses, phase, opened, turn) = (addresses.clone(), phase.clone(), opened.clone(), Arc::clone(&turn));
        keepers.spawn(Keeper { person, addresses, node: number % 2, phase, opened, turn }.run());
    }
    let all_open =
        timeout(2 * PATIENCE, async { opened.subscribe().wait_for(|opened| *opened >= agents).await.is_ok() });
    assert!(all_open.await.expect("all inboxes open"));

    let mut workers = JoinSet::new();
    let begun = Instant::now();
    for _ in 0..WORKERS {
        workers.spawn(work(root.clone(), customer.clone(), addresses.clone(), agents, phase.clone()));
    }
    sleep(WORK).await;
    cluster.kill(1);
    let killed = Instant::now();
    sleep(WORK).await;
    change.send_replace(DeskPhase::Quiet);
    let accepted: Vec<Instant> = workers.join_all().await.into_iter().flatten().collect();
    let after_kill = accepted.iter().filter(|at| **at > killed).count();
    let (worked, quiet) = (begun.elapsed(), Instant::now());
    let kept = timeout(RIGHT_WITHIN, keepers.join_all()).await.expect("all inboxes are right");

    let right = kept.iter().map(|kept| kept.right_at).max().unwrap();
    let moved: Vec<&Kept> = kept.iter().filter(|kept| kept.sockets > 1).collect();
    let (median, last) = median_and_max(moved.iter().map(|kept| kept.back_at - killed).collect());
    let updates: u64 = kept.iter().map(|kept| kept.updates).sum();
    println!(
        "{} changes in {worked:?}, {after_kill} of them after the kill, {updates} updates; {} of {agents} inboxes were opened again, {median:?} and at most \
         {last:?} after the kill; all were right {:?} after the kill and {:?} after the last change",
        accepted.len(),
        moved.len(),
        right - killed,
        right - quiet,
    );
    assert!(moved.len() >= agents / 2, "those of the server that was killed");
    assert!(last <= BACK_WITHIN, "{last:?}");
    assert!(after_kill >= SESSIONS, "{after_kill} changes alone after the kill");
    let backwards: Vec<String> = kept.into_iter().flat_map(|kept| kept.backwards).collect();
    assert!(backwards.is_empty(), "{} updates went back: {}", backwards.len(), backwards.join("; "));
}
