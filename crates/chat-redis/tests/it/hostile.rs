//! An attacker with access to Redis can delay events, and do nothing else.

use std::time::Duration;

use chat_domain::model::{Epoch, FanoutCredentials, FanoutKey, LiveEvent};
use chat_realtime::SuspectedGap;
use test_servers::redis::PrivateRedis;
use tokio::time::{Instant, interval, timeout};

use crate::support::{
    Node, PATIENCE, SinkCall, Stranger, credentials, event, events, eventually, said, suspected_shards,
};

/// These events have come since, and no gap was suspected among them.
fn assert_only(node: &Node, from: usize, wanted: &[LiveEvent]) {
    let calls = node.sink.all();
    assert_eq!(events(&calls[from..]), wanted);
    assert_eq!(suspected_shards(&calls[from..]), []);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn unsigned_messages_have_no_effect() {
    let redis = PrivateRedis::start(&[]).unwrap();
    let (node, other) = (Node::start(&redis, 1).await, Node::start(&redis, 2).await);
    let stranger = Stranger::at(&redis).await;
    other.notifier.publish(event(1, 1));
    node.sink.until(|all| !events(all).is_empty()).await;
    let from = node.sink.len();
    let long = "x".repeat(100_000);
    let mut nonsense: Vec<Vec<u8>> =
        ["", "nonsense", "{}", "[[[[", &long].map(|text| text.as_bytes().to_vec()).to_vec();
    eventually("there is something to change", || stranger.received().len() > 2).await;
    // Genuine but for one thing: a byte, the channel, or the signature.
    for (_, message) in stranger.received() {
        let mut changed = message.clone();
        changed[20] ^= 1;
        nonsense.push(changed);
        nonsense.push(message[..message.len() - 32].to_vec());
    }
    nonsense.push(said("chat:6", 99, 1, r#""kind":"danced""#));
    for message in nonsense {
        stranger.publish("chat:5", &message).await;
        stranger.publish("chat:nodes", &message).await;
    }
    other.notifier.publish(event(1, 2));
    node.sink.until(|all| all[from..].contains(&SinkCall::Deliver(event(1, 2)))).await;
    assert_only(&node, from, &[event(1, 2)]);
}

/// As from a clone of the database on the same Redis, from a database that was restored from a backup, and from another
/// deployment.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn messages_of_another_database_epoch_or_key_are_rejected() {
    let redis = PrivateRedis::start(&[]).unwrap();
    let (node, peer) = (Node::start(&redis, 1).await, Node::start(&redis, 2).await);
    let others = [
        FanoutCredentials { database: "a-copy".to_owned(), ..credentials() },
        FanoutCredentials { epoch: Epoch::parse("another-epoch").unwrap(), ..credentials() },
        FanoutCredentials { key: FanoutKey::from_bytes([8; 32]), ..credentials() },
    ];
    let mut strangers = Vec::new();
    for (n, other) in (3..).zip(others) {
        let other = Node::begin_as(&redis.url(), n, other, |_| ());
        assert!(other.fanout.wait_until_connected(PATIENCE).await, "it reaches itself");
        strangers.push(other);
    }
    let from = node.sink.len();
    for (n, stranger) in (10..).zip(&strangers) {
        stranger.notifier.publish(event(1, n));
        stranger.fanout.close().await;
    }
    peer.notifier.publish(event(1, 2));
    node.sink.until(|all| all[from..].contains(&SinkCall::Deliver(event(1, 2)))).await;
    assert_only(&node, from, &[event(1, 2)]);
    assert!(strangers.iter().all(|stranger| stranger.sink.events().is_empty()), "and they get none of our events");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn replayed_messages_double_and_hide_nothing() {
    let redis = PrivateRedis::start(&[]).unwrap();
    let (node, other) = (Node::start(&redis, 1).await, Node::start(&redis, 2).await);
    let stranger = Stranger::at(&redis).await;
    let from = node.sink.len();
    let mut sent = Vec::new();
    for round in 0..20 {
        for n in 0..5 {
            sent.push(event(n, round));
            other.notifier.publish(event(n, round));
        }
        node.sink.until(|all| events(&all[from..]).len() >= sent.len()).await;
        // Everything that was ever said, events and heartbeats of both nodes, in its order and backwards.
        let received = stranger.received();
        for (channel, message) in received.iter().chain(received.iter().rev()) {
            stranger.publish(channel, message).await;
        }
    }
    assert_only(&node, from, &sent);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn replayed_heartbeats_do_not_keep_a_dead_node_alive() {
    let redis = PrivateRedis::start(&[]).unwrap();
    let (node, dying) = (Node::start(&redis, 1).await, Node::start(&redis, 2).await);
    let stranger = Stranger::at(&redis).await;
    dying.notifier.publish(event(1, 1));
    node.sink.until(|all| !events(all).is_empty()).await;
    let from = node.sink.len();
    dying.crash().await;
    let started = Instant::now();
    let replaying = async {
        let mut often = interval(Duration::from_millis(200));
        loop {
            often.tick().await;
            for (channel, message) in stranger.received() {
                stranger.publish(&channel, &message).await;
            }
        }
    };
    let missed = node.sink.until_called(from, SinkCall::MarkSuspect(SuspectedGap::AllSessions));
    tokio::select! {
        () = missed => {}
        ended = timeout(PATIENCE, replaying) => assert!(ended.is_ok(), "the dead node is not missed"),
    }
    let took = started.elapsed();
    assert!(took < PATIENCE, "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn nodes_of_a_moved_database_are_reachable_with_new_credentials() {
    let redis = PrivateRedis::start(&[]).unwrap();
    let (one, other) = (Node::start(&redis, 1).await, Node::start(&redis, 2).await);
    let moved = FanoutCredentials { database: "a-database-2".to_owned(), ..credentials() };
    assert!(!one.fanout.set_credentials(credentials()), "nothing has changed");
    let from = [&one, &other].map(|node| node.sink.len());
    assert!(one.fanout.set_credentials(moved.clone()));
    one.sink.until_called(from[0], SinkCall::MarkSuspect(SuspectedGap::AllSessions)).await;
    assert!(other.fanout.set_credentials(moved.clone()));
    other.sink.until_called(from[1], SinkCall::MarkSuspect(SuspectedGap::AllSessions)).await;
    one.notifier.publish(event(1, 1));
    other.sink.until_called(from[1], SinkCall::Deliver(event(1, 1))).await;
    other.notifier.publish(event(1, 2));
    one.sink.until_called(from[0], SinkCall::Deliver(event(1, 2))).await;
    assert!(
        !one.fanout.set_credentials(FanoutCredentials { epoch: Epoch::parse("later").unwrap(), ..moved }),
        "another history"
    );
}
