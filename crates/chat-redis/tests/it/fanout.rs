//! What nodes receive of each other while Redis is available.

use chat_realtime::SuspectedGap;
use chat_redis::RedisPrefix;
use test_servers::redis::PrivateRedis;

use crate::support::{
    Node, PATIENCE, SinkCall, Stranger, event, events, eventually, outage_reason, said, shard, suspected_shards,
};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn every_event_reaches_every_other_node_once_and_in_order() {
    const EACH: u64 = 500;
    let redis = PrivateRedis::start(&[]).unwrap();
    let nodes = [Node::start(&redis, 1).await, Node::start(&redis, 2).await, Node::start(&redis, 3).await];
    for n in 0..EACH {
        for (session, node) in (0..).zip(&nodes) {
            node.notifier.publish(event(session, n));
        }
    }
    for (own, node) in (0..).zip(&nodes) {
        let wanted = usize::try_from(EACH * 2).unwrap();
        node.sink.until(|all| events(all).len() >= wanted).await;
        let received = node.sink.events();
        for other in (0..3).filter(|other| *other != own) {
            let of_other: Vec<_> = (0..EACH).map(|n| event(other, n)).collect();
            let received: Vec<_> = received.iter().filter(|event| of_other.contains(event)).cloned().collect();
            assert_eq!(received, of_other, "node {own} of node {other}");
        }
        assert_eq!(received.len(), wanted, "its own events do not come back");
        assert_eq!(node.local.0.lock().unwrap().len(), usize::try_from(EACH).unwrap());
        assert_eq!(suspected_shards(&node.sink.all()), []);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn one_primary_among_the_addresses_is_enough() {
    let (primary, dead) = (PrivateRedis::start(&[]).unwrap(), PrivateRedis::start(&[]).unwrap());
    let replica = PrivateRedis::start(&[("replicaof", &format!("127.0.0.1 {}", primary.port()))]).unwrap();
    dead.kill().unwrap();
    let hosts = [&dead, &replica, &primary].map(|server| format!("127.0.0.1:{}", server.port())).join(",");
    // Whichever server comes first: each node begins at another address.
    let url = format!("redis://{hosts}");
    let nodes = [Node::start_at(&url, 1).await, Node::start_at(&url, 2).await, Node::start_at(&url, 3).await];
    for (n, node) in (0..).zip(&nodes) {
        node.notifier.publish(event(1, n));
    }
    for node in &nodes {
        node.sink.until(|all| events(all).len() == 2).await;
    }
    // A replica alone is refused, since a message published there reaches no other node.
    let said = outage_reason(&Node::begin(&replica, 4, |_| ())).await;
    assert!(said.contains("is a replica"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn waiting_events_are_published_before_a_node_stops() {
    let redis = PrivateRedis::start(&[]).unwrap();
    let (ending, other) = (Node::start(&redis, 1).await, Node::start(&redis, 2).await);
    for n in 0..2_000 {
        ending.notifier.publish(event(1, n));
    }
    ending.fanout.close().await;
    assert!(!ending.fanout.is_connected());
    other.sink.until(|all| events(all).len() == 2_000).await;
    // Nothing happens any more, and no call waits.
    ending.notifier.publish(event(1, 2_000));
    ending.fanout.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn deployments_with_different_prefixes_are_separate() {
    let redis = PrivateRedis::start(&[]).unwrap();
    let (one, same) = (Node::start(&redis, 1).await, Node::start(&redis, 2).await);
    let other = Node::begin(&redis, 3, |config| config.prefix = RedisPrefix::parse("chat2").unwrap());
    let its_peer = Node::begin(&redis, 4, |config| config.prefix = RedisPrefix::parse("chat2").unwrap());
    for node in [&other, &its_peer] {
        assert!(node.fanout.wait_until_connected(PATIENCE).await);
    }
    one.notifier.publish(event(1, 1));
    other.notifier.publish(event(1, 2));
    same.sink.until(|all| !events(all).is_empty()).await;
    its_peer.sink.until(|all| !events(all).is_empty()).await;
    assert_eq!((same.sink.events(), its_peer.sink.events()), (vec![event(1, 1)], vec![event(1, 2)]));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn a_counter_that_jumps_is_a_gap_in_its_shard_only() {
    let redis = PrivateRedis::start(&[]).unwrap();
    let node = Node::start(&redis, 1).await;
    let stranger = Stranger::at(&redis).await;
    let zeros = ["0"; 64].join(",");
    let heartbeat = said("chat:nodes", 99, 1, &format!(r#""kind":"heartbeat","counters":[{zeros}]"#));
    stranger.publish("chat:nodes", &heartbeat).await;
    let from = node.sink.len();
    let danced = |counter| said("chat:17", 99, counter, r#""kind":"danced""#);
    // An ephemeral event of a kind that this version does not know is nothing to it; then two do not come at all.
    stranger.publish("chat:17", &danced(1)).await;
    stranger.publish("chat:17", &danced(4)).await;
    let gap = SinkCall::MarkSuspect(SuspectedGap::Shard { index: 17, of: 64 });
    node.sink.until_called(from, gap.clone()).await;
    assert_eq!(node.sink.all()[from..], [gap]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn a_full_queue_drops_events_and_peers_suspect_their_shard() {
    let redis = PrivateRedis::start(&[]).unwrap();
    // The other one first, so that it has received the publisher from the beginning.
    let other = Node::start(&redis, 2).await;
    let publisher = Node::begin(&redis, 1, |config| config.queue = 4);
    assert!(publisher.fanout.wait_until_connected(PATIENCE).await);
    let from = other.sink.len();
    // Nothing leaves the queue while Redis does not answer, but what is in one pipeline.
    redis.freeze().unwrap();
    for n in 0..1_000 {
        publisher.notifier.publish(event(1, n));
    }
    redis.thaw().unwrap();
    other.sink.until_called(from, SinkCall::MarkSuspect(shard(1))).await;
    // The queue is empty when what was published last has come: it may have been too full for what came before.
    let mut last = 1_000;
    eventually("the queue is empty", || {
        let came = other.sink.events().contains(&event(1, last));
        if !came {
            last += 1;
            publisher.notifier.publish(event(1, last));
        }
        came
    })
    .await;
    publisher.notifier.publish(event(2, 1));
    other.sink.until(|all| all[from..].contains(&SinkCall::Deliver(event(2, 1)))).await;
    let calls = other.sink.all();
    assert!(events(&calls).len() < 1_000);
    assert!(suspected_shards(&calls[from..]).iter().all(|at| *at == shard(1)), "{calls:?}");
}
