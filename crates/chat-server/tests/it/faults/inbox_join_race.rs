//! Inboxes that open while their sessions change: the snapshots and the updates behind them are what REST shows, whenever
//! the inbox is opened.

use std::time::Instant;

use chat_loadgen::token::TokenRole;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::cluster::Cluster;
use super::desk::Desk;
use super::short_or_long;
use crate::support::Person;

/// At the same time, each with an agent, a customer and sessions of its own. All of them share the queue.
const AT_ONCE: usize = 25;
/// Changes of a round. The inbox is opened right after one of them, in each round after a different one.
const CHANGES: usize = 8;

/// The people of one round.
#[derive(Clone)]
struct Round {
    agent: Person,
    customer: Person,
    admin: Person,
}

impl Round {
    fn new(cluster: &Cluster, number: usize) -> Self {
        let at = |sub: &str, role, node: usize| cluster.person(sub, role).at(cluster.node(node).addr);
        Self {
            agent: at(&format!("agent-{number}"), TokenRole::Agent, number % 2),
            customer: at(&format!("customer-{number}"), TokenRole::User, number / 2 % 2),
            admin: at("root", TokenRole::Admin, number / 4 % 2),
        }
    }

    /// Opens, assigns, writes, hands back and closes. `begin` is used after so many of the changes.
    async fn change(self, agent: String, after: usize, begin: oneshot::Sender<()>) {
        let Self { agent: answering, customer, admin } = self;
        let agent = json!({ "agentId": agent });
        let mut begin = Some(begin);
        let mut sessions: Vec<String> = Vec::new();
        for step in 0..CHANGES {
            if step == after {
                let _begun = begin.take().map(|begin| begin.send(()));
            }
            let path = |place: usize| format!("/api/chat/sessions/{}", sessions[place]);
            let answer = match step {
                0 | 1 => {
                    sessions.push(customer.open_session(&format!("session {step}")).await);
                    continue;
                }
                2 => admin.put(&format!("{}/assign", path(0)), &agent).await,
                3 => customer.post(&format!("{}/messages", path(0)), &json!({ "content": "a question" })).await,
                4 => admin.put(&format!("{}/assign", path(1)), &agent).await,
                5 => answering.post(&format!("{}/messages", path(0)), &json!({ "content": "an answer" })).await,
                6 => admin.put(&format!("{}/transfer", path(1)), &json!({ "agentId": null })).await,
                _ => admin.put(&format!("{}/close", path(0)), &Value::Null).await,
            };
            assert!(answer.status().is_success(), "step {step}: {}", answer.text().await.unwrap());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres and Redis: cargo xtask test"]
async fn every_inbox_that_opens_among_changes_shows_what_rest_shows() {
    let rounds = short_or_long(100, 1_000);
    let cluster = Cluster::with_redis(2).await;
    let people: Vec<Round> = (0..AT_ONCE).map(|number| Round::new(&cluster, number)).collect();
    for number in 0..AT_ONCE {
        let put = people[0].admin.put(&format!("/api/chat/agents/agent-{number}"), &json!({})).await;
        assert!(put.status().is_success());
    }
    let (mut backwards, mut updates) = (Vec::new(), 0);
    let mut slowest = std::time::Duration::ZERO;
    for batch in 0..rounds / AT_ONCE {
        let (mut opening, mut changing) = (JoinSet::new(), JoinSet::new());
        for (number, round) in people.iter().enumerate() {
            let (begin, begun) = oneshot::channel();
            let agent = round.agent.clone();
            changing.spawn(round.clone().change(format!("agent-{number}"), (batch + number) % CHANGES, begin));
            opening.spawn(async move {
                begun.await.unwrap();
                Desk::open(agent, &["mine", "waiting"]).await.unwrap()
            });
        }
        changing.join_all().await;
        // Nothing changes any more, so what REST shows now is the truth.
        let since = Instant::now();
        let mut converging = JoinSet::new();
        for mut desk in opening.join_all().await {
            converging.spawn(async move {
                let took = desk.converge(since).await.unwrap();
                (desk, took)
            });
        }
        for (desk, took) in converging.join_all().await {
            updates += desk.updates;
            slowest = slowest.max(took);
            backwards.extend(desk.backwards.clone());
            desk.close().await;
        }
        // The queue stays short enough for one page.
        close_the_queue(&people[0].admin).await;
    }
    println!("all of {rounds} inboxes were right, the slowest after {slowest:?}, with {updates} updates");
    assert!(backwards.is_empty(), "{} updates went back: {}", backwards.len(), backwards.join("; "));
}

async fn close_the_queue(admin: &Person) {
    let queue = Person::json(admin.get("/api/chat/inbox?view=waiting&limit=100").await, 200).await;
    for item in queue["items"].as_array().unwrap() {
        let path = format!("/api/chat/sessions/{}/close", item["id"].as_str().unwrap());
        Person::json(admin.put(&path, &Value::Null).await, 200).await;
    }
}
