//! Inboxes that are open at two servers, while Redis between them dies, hangs or drops its subscribers, and while one of the
//! servers is killed: each of them ends as what REST shows, soon and exactly.

use std::time::{Duration, Instant};

use chat_loadgen::token::TokenRole;
use serde_json::{Value, json};
use test_servers::postgres::TestDatabase;
use test_servers::redis::PrivateRedis;
use tokio::sync::watch;
use tokio::task::{JoinHandle, block_in_place};
use tokio::time::sleep;

use super::cluster::Cluster;
use super::desk::Desk;

/// How long people work while something has failed.
const WORK: Duration = Duration::from_secs(10);
const AGENTS: [&str; 3] = ["bob", "carol", "dave"];

/// People who work at both servers until they are stopped: they open, claim, hand over, write, read and close.
struct Work {
    stop: watch::Sender<bool>,
    task: JoinHandle<u64>,
}

impl Work {
    fn start(cluster: &Cluster, nodes: &[usize]) -> Self {
        let (stop, stopped) = watch::channel(false);
        let at = |sub: &str, role, node: usize| cluster.person(sub, role).at(cluster.node(node).addr);
        let admins: Vec<_> = nodes.iter().map(|node| at("root", TokenRole::Admin, *node)).collect();
        let customers: Vec<_> = nodes.iter().map(|node| at("alice", TokenRole::User, *node)).collect();
        let task = tokio::spawn(async move {
            let (mut sessions, mut steps, mut random) = (Vec::new(), 0_u64, 0x2545_f491_4f6c_dd1d_u64);
            while !*stopped.borrow() {
                // xorshift (Marsaglia 2003): the same in every run.
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                let pick = |count: usize, part: u64| usize::try_from((random >> part) % count as u64).unwrap();
                let (admin, customer) = (&admins[pick(admins.len(), 3)], &customers[pick(customers.len(), 5)]);
                steps += 1;
                if sessions.len() < 12 || pick(40, 7) == 0 {
                    sessions.push(customer.open_session(&format!("step {steps}")).await);
                    continue;
                }
                let place = pick(sessions.len(), 11);
                let path = format!("/api/chat/sessions/{}", sessions[place]);
                let agent = AGENTS[pick(AGENTS.len(), 17)];
                let answer = match pick(8, 23) {
                    0 => admin.put(&format!("{path}/assign"), &json!({ "agentId": agent })).await,
                    1 => admin.put(&format!("{path}/transfer"), &json!({ "agentId": agent })).await,
                    2 => admin.put(&format!("{path}/transfer"), &json!({ "agentId": null })).await,
                    3 if sessions.len() > 14 => {
                        sessions.swap_remove(place);
                        admin.put(&format!("{path}/close"), &Value::Null).await
                    }
                    4 => admin.post(&format!("{path}/messages"), &json!({ "content": "an answer" })).await,
                    5 => admin.put(&format!("{path}/read"), &json!({ "upToSeq": 1 })).await,
                    _ => customer.post(&format!("{path}/messages"), &json!({ "content": format!("{steps}") })).await,
                };
                // 409 is what the state of the session says.
                assert!(answer.status().is_success() || answer.status() == 409, "{}", answer.status());
                sleep(Duration::from_millis(20)).await;
            }
            steps
        });
        Self { stop, task }
    }

    async fn stop(self) -> u64 {
        self.stop.send_replace(true);
        self.task.await.unwrap()
    }
}

async fn with_agents(cluster: &Cluster) {
    let root = cluster.person("root", TokenRole::Admin);
    for agent in AGENTS {
        let put = root.put(&format!("/api/chat/agents/{agent}"), &json!({ "displayName": agent })).await;
        assert!(put.status().is_success());
    }
}

async fn desks(cluster: &Cluster, nodes: &[usize]) -> Vec<Desk> {
    let mut desks = Vec::new();
    for node in nodes {
        let at = |sub: &str, role| cluster.person(sub, role).at(cluster.node(*node).addr);
        for agent in AGENTS {
            desks.push(Desk::open(at(agent, TokenRole::Agent), &["mine", "waiting"]).await.unwrap());
        }
        desks.push(Desk::open(at("root", TokenRole::Admin), &["waiting", "assigned"]).await.unwrap());
        desks.push(Desk::open(at("alice", TokenRole::User), &["mine"]).await.unwrap());
    }
    desks
}

#[expect(clippy::print_stdout, reason = "the figures of a test")]
async fn all_converge(desks: &mut [Desk], steps: u64) {
    let since = Instant::now();
    let mut longest = Duration::ZERO;
    for desk in &mut *desks {
        longest = longest.max(desk.converge(since).await.unwrap());
    }
    let updates: u64 = desks.iter().map(|desk| desk.updates).sum();
    println!("{} inboxes are right {longest:?} after {steps} steps, with {updates} updates", desks.len());
    assert!(updates > steps, "they were told of what happened, and did not only read it at the end");
}

/// The fault begins before the work and lasts until all inboxes are right.
async fn inboxes_are_right_without_redis(leave: fn(&PrivateRedis), come_back: fn(&PrivateRedis)) {
    let cluster = Cluster::with_redis(2).await;
    with_agents(&cluster).await;
    let mut desks = desks(&cluster, &[0, 1]).await;
    let work = Work::start(&cluster, &[0, 1]);
    sleep(WORK / 2).await;
    block_in_place(|| leave(cluster.redis()));
    sleep(WORK).await;
    let steps = work.stop().await;
    all_converge(&mut desks, steps).await;
    block_in_place(|| come_back(cluster.redis()));
    let work = Work::start(&cluster, &[0, 1]);
    sleep(WORK / 2).await;
    let steps = work.stop().await;
    all_converge(&mut desks, steps).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres and Redis: cargo xtask test"]
async fn inboxes_are_right_while_redis_is_killed_and_afterwards() {
    inboxes_are_right_without_redis(|redis| redis.kill().unwrap(), |redis| redis.start_again().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres and Redis: cargo xtask test"]
async fn inboxes_are_right_while_redis_is_frozen_and_afterwards() {
    inboxes_are_right_without_redis(|redis| redis.freeze().unwrap(), |redis| redis.thaw().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn inboxes_are_right_at_two_servers_that_have_no_redis() {
    let cluster = Cluster::start(2, TestDatabase::empty(), &[]).await;
    with_agents(&cluster).await;
    let mut desks = desks(&cluster, &[0, 1]).await;
    let work = Work::start(&cluster, &[0, 1]);
    sleep(WORK / 2).await;
    let steps = work.stop().await;
    all_converge(&mut desks, steps).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres and Redis: cargo xtask test"]
async fn inboxes_are_right_while_subscribers_are_killed_every_second_and_when_a_server_is() {
    let mut cluster = Cluster::with_redis(2).await;
    with_agents(&cluster).await;
    let mut open = desks(&cluster, &[0, 1]).await;
    let work = Work::start(&cluster, &[0, 1]);
    for _ in 0..WORK.as_secs() {
        sleep(Duration::from_secs(1)).await;
        block_in_place(|| cluster.redis().command(&["CLIENT", "KILL", "TYPE", "pubsub"]).unwrap());
    }
    let steps = work.stop().await;
    all_converge(&mut open, steps).await;
    // Those of a server that is killed are opened at the other one.
    let work = Work::start(&cluster, &[0]);
    sleep(WORK / 4).await;
    cluster.kill(1);
    open.truncate(open.len() / 2);
    open.extend(desks(&cluster, &[0]).await);
    sleep(WORK / 4).await;
    let steps = work.stop().await;
    all_converge(&mut open, steps).await;
}
