//! The sockets of a person on several nodes, and without Redis.

use std::sync::Arc;
use std::task::Poll;

use chat_domain::error::{ChatError, LimitReached};
use chat_domain::model::{Connection, ConnectionId, ConnectionLimits, UserId};
use chat_domain::ports::ConnectionRegistry;
use chat_testkit::{OpenDoor, fixtures};
use test_redis::PrivateRedis;
use uuid::Uuid;

use crate::support::{Node, Told, eventually};

const LIMITS: ConnectionLimits = ConnectionLimits { per_session: 3, per_user: 5 };

/// Connection `n` of Alice in a session; larger numbers are newer.
fn connection(n: u128, session: u64) -> Connection {
    Connection {
        id: ConnectionId::new(Uuid::from_u128(n)),
        session_id: fixtures::session_id(session),
        user_id: fixtures::alice().id,
    }
}

/// The registry of a node, once Redis answers it.
async fn registry(node: &Node, redis: &PrivateRedis) -> Arc<dyn ConnectionRegistry> {
    let registry = node.fanout.connections(Arc::new(OpenDoor::new()));
    let lease = format!("chat:lease:{}:*", node.id);
    eventually("the node has a lease", || redis.command(&["KEYS", &lease]).unwrap() != "").await;
    registry
}

fn entered(redis: &PrivateRedis) -> String {
    redis.command(&["HLEN", "chat:connections:alice"]).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn one_more_in_a_session_replaces_the_oldest_on_whatever_node() {
    let redis = PrivateRedis::start(&[]).unwrap();
    let (one, other) = (Node::start(&redis, 1).await, Node::start(&redis, 2).await);
    let (first, second) = (registry(&one, &redis).await, registry(&other, &redis).await);
    first.enter(&connection(1, 1), LIMITS).await.unwrap();
    second.enter(&connection(2, 1), LIMITS).await.unwrap();
    first.enter(&connection(3, 1), LIMITS).await.unwrap();
    second.enter(&connection(4, 1), LIMITS).await.unwrap();
    let session = fixtures::session_id(1);
    one.sink.until_told(0, Told::Replaced(session, connection(1, 1).id)).await;
    // The next one is the node's own.
    second.enter(&connection(5, 1), LIMITS).await.unwrap();
    other.sink.until_told(0, Told::Replaced(session, connection(2, 1).id)).await;
    let replaced = |node: &Node| node.sink.all().iter().filter(|told| matches!(told, Told::Replaced(..))).count();
    assert_eq!(replaced(&one), 1);
    assert_eq!(entered(&redis), "3");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn a_person_has_so_many_places_on_all_nodes_and_gets_one_back_when_one_leaves() {
    let redis = PrivateRedis::start(&[]).unwrap();
    let (one, other) = (Node::start(&redis, 1).await, Node::start(&redis, 2).await);
    let (first, second) = (registry(&one, &redis).await, registry(&other, &redis).await);
    for n in 1..=5 {
        let registry = if n % 2 == 0 { &first } else { &second };
        registry.enter(&connection(n, u64::try_from(n).unwrap()), LIMITS).await.unwrap();
    }
    let refused = first.enter(&connection(6, 6), LIMITS).await;
    assert!(matches!(refused, Err(ChatError::LimitReached(LimitReached::Connections { limit: 5 }))), "{refused:?}");
    assert_eq!(entered(&redis), "5");
    // Somebody else has places of their own.
    let mut theirs = connection(7, 1);
    theirs.user_id = UserId::parse("mallory").unwrap();
    first.enter(&theirs, LIMITS).await.unwrap();
    second.leave(&connection(1, 1));
    eventually("the place is free", || entered(&redis) == "4").await;
    first.enter(&connection(8, 8), LIMITS).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn of_concurrent_entries_no_more_than_the_limits_remain() {
    let redis = PrivateRedis::start(&[]).unwrap();
    let (one, other) = (Node::start(&redis, 1).await, Node::start(&redis, 2).await);
    let registries = [registry(&one, &redis).await, registry(&other, &redis).await];
    for round in 0..10_u64 {
        let of_round = move |n: u64| {
            let mut connection = connection(u128::from(n + 1), n);
            connection.user_id = UserId::parse(&format!("user {round}")).unwrap();
            connection
        };
        let entries: Vec<_> = (0..60_u64)
            .map(|n| {
                let registry = Arc::clone(&registries[usize::try_from(n % 2).unwrap()]);
                tokio::spawn(async move { registry.enter(&of_round(n), LIMITS).await.is_ok() })
            })
            .collect();
        let mut let_in = 0;
        for entry in entries {
            let_in += usize::from(entry.await.unwrap());
        }
        assert_eq!(let_in, LIMITS.per_user, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn the_places_of_a_node_that_ended_or_died_are_free() {
    let redis = PrivateRedis::start(&[]).unwrap();
    let (ending, dying, other) =
        (Node::start(&redis, 1).await, Node::start(&redis, 2).await, Node::start(&redis, 3).await);
    let registries = [registry(&ending, &redis).await, registry(&dying, &redis).await];
    let third = registry(&other, &redis).await;
    for n in 1..=5 {
        let registry = &registries[usize::try_from(n % 2).unwrap()];
        registry.enter(&connection(n, u64::try_from(n).unwrap()), LIMITS).await.unwrap();
    }
    assert!(third.enter(&connection(10, 10), LIMITS).await.is_err());
    ending.fanout.close().await;
    drop(dying);
    let leases = format!("chat:lease:{}:*", Uuid::from_u128(2));
    eventually("the lease ends", || redis.command(&["KEYS", &leases]).unwrap().is_empty()).await;
    for n in 11..16 {
        third.enter(&connection(n, u64::try_from(n).unwrap()), LIMITS).await.unwrap();
    }
    assert_eq!(entered(&redis), "5");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn connections_are_entered_again_when_redis_has_forgotten_them() {
    let redis = PrivateRedis::start(&[]).unwrap();
    let node = Node::start(&redis, 1).await;
    let registry = registry(&node, &redis).await;
    for n in 1..=3 {
        registry.enter(&connection(n, 1), LIMITS).await.unwrap();
    }
    redis.command(&["FLUSHALL"]).unwrap();
    eventually("all are entered again", || entered(&redis) == "3").await;
    redis.kill().unwrap();
    // Decided here, in no time, and told later.
    registry.leave(&connection(1, 1));
    registry.enter(&connection(4, 2), LIMITS).await.unwrap();
    registry.enter(&connection(5, 3), LIMITS).await.unwrap();
    redis.start_again().unwrap();
    eventually("those that are there are entered", || entered(&redis) == "4").await;
    assert_eq!(redis.command(&["HEXISTS", "chat:connections:alice", &connection(1, 1).id.to_string()]).unwrap(), "0");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn too_many_that_were_let_in_without_redis_are_put_right_by_age() {
    let redis = PrivateRedis::start(&[]).unwrap();
    let (one, other) = (Node::start(&redis, 1).await, Node::start(&redis, 2).await);
    let (first, second) = (registry(&one, &redis).await, registry(&other, &redis).await);
    redis.kill().unwrap();
    for n in 1..=3 {
        first.enter(&connection(n, 1), LIMITS).await.unwrap();
        second.enter(&connection(n + 10, 1), LIMITS).await.unwrap();
    }
    redis.start_again().unwrap();
    let session = fixtures::session_id(1);
    for n in 1..=3 {
        one.sink.until_told(0, Told::Replaced(session, connection(n, 1).id)).await;
    }
    eventually("the newest remain", || entered(&redis) == "3").await;
    assert!(!other.sink.all().iter().any(|told| matches!(told, Told::Replaced(..))));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn whoever_gives_up_while_entering_has_no_place() {
    let redis = PrivateRedis::start(&[]).unwrap();
    let node = Node::start(&redis, 1).await;
    let registry = registry(&node, &redis).await;
    let (mine, gone) = (connection(1, 1), connection(2, 1));
    registry.enter(&mine, LIMITS).await.unwrap();
    // Redis answers only after the caller has gone away.
    redis.freeze().unwrap();
    {
        let mut entering = std::pin::pin!(registry.enter(&gone, LIMITS));
        let first = std::future::poll_fn(|context| Poll::Ready(entering.as_mut().poll(context))).await;
        assert!(first.is_pending(), "{first:?}");
    }
    redis.thaw().unwrap();
    eventually("only one remains", || entered(&redis) == "1").await;
    // Neither is the other's.
    registry.leave(&mine);
    eventually("nobody remains", || entered(&redis) == "0").await;
}
