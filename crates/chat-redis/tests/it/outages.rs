//! What nodes do while Redis is gone, frozen, or cuts them off.

use std::time::{Duration, Instant};

use chat_realtime::SuspectedGap;
use test_servers::redis::PrivateRedis;

use crate::support::{Node, PATIENCE, SinkCall, event, events};

/// Publishes as many events as the queues hold and more, and fails when that takes as long as anything on a network
/// does.
fn publish_in_no_time(node: &Node) {
    let start = Instant::now();
    for n in 0..20_000 {
        node.notifier.publish(event(n % 7, n));
    }
    let took = start.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?} for 20,000 events");
    node.local.0.lock().unwrap().clear();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn a_node_that_starts_before_redis_connects_later() {
    let redis = PrivateRedis::start(&[]).unwrap();
    redis.kill().unwrap();
    let node = Node::begin(&redis, 1, |_| ());
    assert_eq!(node.sink.all(), [SinkCall::PeersReachable(false)]);
    assert!(!node.fanout.is_connected());
    publish_in_no_time(&node);
    redis.start_again().unwrap();
    node.until_reachable_again(0).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn a_killed_redis_is_noticed_and_reconnected() {
    let redis = PrivateRedis::start(&[]).unwrap();
    let nodes = [Node::start(&redis, 1).await, Node::start(&redis, 2).await];
    for round in 0..3 {
        let from = nodes.each_ref().map(|node| node.sink.len());
        redis.kill().unwrap();
        for (node, from) in nodes.iter().zip(from) {
            node.sink.until_called(from, SinkCall::PeersReachable(false)).await;
            publish_in_no_time(node);
        }
        redis.start_again().unwrap();
        for (node, from) in nodes.iter().zip(from) {
            node.until_reachable_again(from).await;
        }
        let after = event(1, 1_000_000 + round);
        nodes[0].notifier.publish(after.clone());
        nodes[1].sink.until_called(from[1], SinkCall::Deliver(after)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn a_frozen_redis_is_noticed_although_its_connections_stay() {
    let redis = PrivateRedis::start(&[]).unwrap();
    let (node, other) = (Node::start(&redis, 1).await, Node::start(&redis, 2).await);
    let (from, other_from) = (node.sink.len(), other.sink.len());
    redis.freeze().unwrap();
    let start = Instant::now();
    publish_in_no_time(&node);
    node.sink.until_called(from, SinkCall::PeersReachable(false)).await;
    let took = start.elapsed();
    assert!(took < Duration::from_secs(6), "noticed after {took:?}");
    other.sink.until_called(other_from, SinkCall::PeersReachable(false)).await;
    publish_in_no_time(&node);
    redis.thaw().unwrap();
    node.until_reachable_again(from).await;
    other.until_reachable_again(other_from).await;
    let after = event(1, 1_000_000);
    node.notifier.publish(after.clone());
    other.sink.until_called(other_from, SinkCall::Deliver(after)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn events_lost_with_a_connection_become_a_suspected_gap() {
    let redis = PrivateRedis::start(&[]).unwrap();
    let (publisher, other) = (Node::start(&redis, 1).await, Node::start(&redis, 2).await);
    let mut published_at = Vec::new();
    for round in 0..10_u64 {
        let from = other.sink.len();
        for n in 0..20 {
            published_at.push((round * 20 + n, other.sink.len()));
            publisher.notifier.publish(event(1, round * 20 + n));
        }
        let killed: u32 = redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).unwrap().parse().unwrap();
        assert!(killed >= 1, "the connections for events are of this type");
        other.until_reachable_again(from).await;
        assert!(publisher.fanout.wait_until_connected(PATIENCE).await);
    }
    // An event that is published after everything: what was lost before has been looked for when this event is
    // received, or is by then known to the publisher's next heartbeat.
    let from = other.sink.len();
    let last = event(2, 1_000_000);
    publisher.notifier.publish(last.clone());
    other.sink.until_called(from, SinkCall::Deliver(last)).await;
    let calls = other.sink.all();
    let received = events(&calls);
    for (n, at) in published_at {
        let looked_for = calls[at..].contains(&SinkCall::MarkSuspect(SuspectedGap::AllSessions));
        assert!(looked_for || received.contains(&event(1, n)), "event {n} is lost without a suspected gap");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn a_killed_node_is_a_suspected_gap_and_a_stopped_one_is_not() {
    let redis = PrivateRedis::start(&[]).unwrap();
    let other = Node::start(&redis, 3).await;
    let (ending, dying) = (Node::start(&redis, 1).await, Node::start(&redis, 2).await);
    for node in [&ending, &dying] {
        node.notifier.publish(event(1, 1));
    }
    other.sink.until(|all| events(all).len() == 2).await;
    ending.fanout.close().await;
    let from = other.sink.len();
    dying.crash().await;
    other.sink.until_called(from, SinkCall::MarkSuspect(SuspectedGap::AllSessions)).await;
    let missed = other.sink.all()[from..].iter().filter(|call| matches!(call, SinkCall::MarkSuspect(_))).count();
    assert_eq!(missed, 1);
}
