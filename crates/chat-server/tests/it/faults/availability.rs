//! Who is shown as available at two servers, also when the server that has their inbox is killed.

use chat_loadgen::token::TokenRole;
use serde_json::json;
use test_servers::postgres::TestDatabase;
use tokio::task::block_in_place;

use super::cluster::Cluster;
use super::desk::Desk;
use crate::support::{Person, eventually};

/// What this server shows of an agent.
async fn shown(cluster: &Cluster, node: usize, agent: &str) -> String {
    let root = cluster.person("root", TokenRole::Admin).at(cluster.node(node).addr);
    let list = Person::json(root.get("/api/chat/agents").await, 200).await;
    let agents = list["agents"].as_array().unwrap();
    let listed = agents.iter().find(|listed| listed["id"] == agent).expect("an agent of the directory");
    listed["availability"].as_str().unwrap().to_owned()
}

/// Waits until a server shows an agent like that: nodes note what has changed within a second or so, and every 20 seconds
/// what has not.
async fn until_shown(cluster: &Cluster, node: usize, agent: &str, availability: &str) {
    let what = format!("{agent} as {availability} at server {node}");
    eventually(&what, async || shown(cluster, node, agent).await == availability).await;
}

/// Lets a minute pass for what is written down of who is there.
fn let_a_minute_pass(cluster: &Cluster) {
    block_in_place(|| cluster.database.sql("UPDATE chat_agent_presence SET seen_at = seen_at - 60000"));
}

async fn open_inbox(cluster: &Cluster, node: usize, agent: &str) -> Desk {
    Desk::open(cluster.person(agent, TokenRole::Agent).at(cluster.node(node).addr), &["closed"]).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn an_agent_of_a_killed_server_turns_offline_and_comes_back_as_set() {
    let mut cluster = Cluster::start(2, TestDatabase::empty(), &[]).await;
    let _bobs = open_inbox(&cluster, 1, "bob").await;
    let _carols = open_inbox(&cluster, 0, "carol").await;
    assert_eq!(shown(&cluster, 1, "bob").await, "online", "at once where the inbox is");
    until_shown(&cluster, 0, "bob", "online").await;
    until_shown(&cluster, 1, "carol", "online").await;
    let bob = cluster.bob().at(cluster.node(0).addr);
    let set = bob.put("/api/chat/agents/me/availability", &json!({ "status": "away" })).await;
    assert_eq!(Person::json(set, 200).await, json!({ "status": "away" }));
    assert_eq!((shown(&cluster, 0, "bob").await.as_str(), shown(&cluster, 1, "bob").await.as_str()), ("away", "away"));

    // A server that lives writes again and again that its agents are there; a server that was killed does not.
    let_a_minute_pass(&cluster);
    until_shown(&cluster, 0, "bob", "away").await;
    cluster.kill(1);
    assert_eq!(shown(&cluster, 0, "bob").await, "away", "less than a minute ago");
    let_a_minute_pass(&cluster);
    assert_eq!(shown(&cluster, 0, "bob").await, "offline");
    assert_eq!(shown(&cluster, 0, "carol").await, "online");

    cluster.start_again(1).await;
    let_a_minute_pass(&cluster);
    assert_eq!(shown(&cluster, 1, "bob").await, "offline");
    let _back = open_inbox(&cluster, 1, "bob").await;
    until_shown(&cluster, 0, "bob", "away").await;
}
