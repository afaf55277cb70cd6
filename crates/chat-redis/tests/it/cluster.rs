//! Nodes at different members of a Redis Cluster, and what becomes of them when a member goes.

use std::time::{Duration, Instant};

use chat_realtime::SuspectedGap;
use test_servers::redis::{PrivateCluster, PrivateRedis};

use crate::support::{Node, SinkCall, event, outage_reason, suspected_shards};

const MEMBERS: usize = 3;

fn cluster() -> PrivateCluster {
    PrivateCluster::start(MEMBERS, &[]).unwrap()
}

/// The URL with which node `n` begins at this member: it counts from its own number and its first attempt.
fn url_at(cluster: &PrivateCluster, n: usize, member: usize) -> String {
    cluster.url_from((member + MEMBERS * (n + 1) - (n + 1)) % MEMBERS)
}

async fn node_at(cluster: &PrivateCluster, n: usize, member: usize) -> Node {
    Node::start_at(&url_at(cluster, n, member), u128::try_from(n).unwrap()).await
}

/// How many nodes are connected for events at this member.
fn listeners(member: &PrivateRedis) -> usize {
    member.command(&["CLIENT", "LIST", "TYPE", "pubsub"]).unwrap().lines().filter(|line| line.contains("addr=")).count()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn events_reach_the_nodes_at_all_members_in_order_and_without_gap() {
    const BURST: u64 = 500;
    let cluster = cluster();
    let nodes = [node_at(&cluster, 1, 0).await, node_at(&cluster, 2, 1).await, node_at(&cluster, 3, 2).await];
    assert!(cluster.members().iter().all(|member| listeners(member) == 1), "each is at a member of its own");
    let from = nodes.each_ref().map(|node| node.sink.len());
    // Long enough for heartbeats between the bursts.
    let (start, mut bursts) = (Instant::now(), 0);
    while bursts * BURST < 10_000 || start.elapsed() < Duration::from_secs(4) {
        for n in bursts * BURST..(bursts + 1) * BURST {
            nodes[0].notifier.publish(event(n % 70, n));
        }
        bursts += 1;
        for node in &nodes[1..] {
            let wanted = usize::try_from(bursts * BURST).unwrap();
            node.sink
                .until(|all| all.iter().filter(|call| matches!(call, SinkCall::Deliver(_))).count() >= wanted)
                .await;
        }
    }
    let sent: Vec<_> = (0..bursts * BURST).map(|n| event(n % 70, n)).collect();
    for (node, from) in nodes.iter().zip(from).skip(1) {
        assert!(node.sink.events() == sent, "the events as they were sent");
        assert_eq!(suspected_shards(&node.sink.all()[from..]), []);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn a_node_whose_cluster_member_is_killed_reconnects_to_another() {
    let cluster = cluster();
    let victim = 0;
    let (node, other) = (node_at(&cluster, 1, victim).await, node_at(&cluster, 2, 1).await);
    assert_eq!(listeners(&cluster.members()[victim]), 1);
    let (from, other_from) = (node.sink.len(), other.sink.len());
    cluster.members()[victim].kill().unwrap();
    node.until_reachable_again(from).await;
    let calls = node.sink.all();
    let received = from + calls[from..].iter().position(|call| *call == SinkCall::PeersReachable(true)).unwrap();
    let all_missed =
        calls[from..received].iter().filter(|call| **call == SinkCall::MarkSuspect(SuspectedGap::AllSessions)).count();
    assert_eq!(all_missed, 1, "{calls:?}");
    node.notifier.publish(event(1, 1));
    other.sink.until_called(other_from, SinkCall::Deliver(event(1, 1))).await;
    other.notifier.publish(event(2, 2));
    node.sink.until_called(from, SinkCall::Deliver(event(2, 2))).await;
    assert!(
        !other.sink.all()[other_from..].contains(&SinkCall::PeersReachable(false)),
        "the other one is at a living member"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn a_numbered_database_in_a_cluster_is_refused_with_the_reason() {
    let cluster = PrivateCluster::start(1, &[]).unwrap();
    let said = outage_reason(&Node::begin_at(&format!("{}/1", cluster.url_from(0)), 1, |_| ())).await;
    assert!(said.contains("a cluster has no numbered databases"), "{said}");
}
