//! The sockets of a person on several nodes, and without Redis.

use std::sync::Arc;
use std::task::Poll;

use chat_domain::model::{Connection, ConnectionId, ConnectionLimits};
use chat_domain::ports::{ConnectionRegistry, EventSink};
use chat_redis::{RedisConfig, RedisFanout, RedisUrl};
use chat_testkit::contract::connection_registry::{Registries, RegistryNode};
use chat_testkit::{MemoryConnections, Replacements, fixtures};
use test_redis::PrivateRedis;
use uuid::Uuid;

use crate::support::{Node, PATIENCE, Told, eventually};

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
    let sink = Arc::clone(&node.sink) as Arc<dyn EventSink>;
    registry_of(&node.fanout, node.id, sink, redis).await
}

async fn registry_of(
    fanout: &RedisFanout,
    node: Uuid,
    sink: Arc<dyn EventSink>,
    redis: &PrivateRedis,
) -> Arc<dyn ConnectionRegistry> {
    let registry = fanout.connections(Arc::new(MemoryConnections::new(sink)));
    let lease = format!("*:lease:{node}:*");
    eventually("the node has a lease", || redis.command(&["KEYS", &lease]).unwrap() != "").await;
    registry
}

/// How many places Redis knows to be Alice's.
fn entered(redis: &PrivateRedis) -> String {
    match redis.command(&["KEYS", "*:connections:alice"]).unwrap().as_str() {
        "" => "0".to_owned(),
        key => redis.command(&["HLEN", key]).unwrap(),
    }
}

/// So many nodes on a Redis of their own.
async fn nodes(count: u128) -> Registries {
    let redis = PrivateRedis::start(&[]).unwrap();
    let (mut fanouts, mut nodes) = (Vec::new(), Vec::new());
    for n in 1..=count {
        let id = Uuid::from_u128(n);
        let mut config = RedisConfig::new(RedisUrl::parse(&redis.url()).unwrap(), id);
        // Patient, so that a busy machine is no slow Redis.
        config.budget = PATIENCE;
        let ended = Arc::new(Replacements::new());
        let sink = Arc::clone(&ended) as Arc<dyn EventSink>;
        let fanout = RedisFanout::connect(config, Arc::clone(&sink)).unwrap();
        assert!(fanout.wait_until_connected(PATIENCE).await);
        let registry = registry_of(&fanout, id, sink, &redis).await;
        nodes.push(RegistryNode { registry, ended });
        fanouts.push(fanout);
    }
    Registries::new(nodes, PATIENCE, Box::new((fanouts, redis)))
}

async fn one_node() -> Registries {
    nodes(1).await
}

async fn two_nodes() -> Registries {
    nodes(2).await
}

mod contract_on_one_node {
    chat_testkit::connection_registry_contract!(
        #[ignore = "needs Redis: cargo xtask test"]
        super::one_node
    );
}

mod contract_on_two_nodes {
    chat_testkit::connection_registry_contract!(
        #[ignore = "needs Redis: cargo xtask test"]
        super::two_nodes
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn redis_holds_those_who_are_there_and_each_node_hears_of_its_own() {
    let redis = PrivateRedis::start(&[]).unwrap();
    let (one, other) = (Node::start(&redis, 1).await, Node::start(&redis, 2).await);
    let (first, second) = (registry(&one, &redis).await, registry(&other, &redis).await);
    first.enter(&connection(1, 1), LIMITS).await.unwrap();
    for n in 2..=4 {
        second.enter(&connection(n, 1), LIMITS).await.unwrap();
    }
    let session = fixtures::session_id(1);
    one.sink.until_told(0, Told::Replaced(session, connection(1, 1).id)).await;
    // The next one is the node's own.
    second.enter(&connection(5, 1), LIMITS).await.unwrap();
    other.sink.until_told(0, Told::Replaced(session, connection(2, 1).id)).await;
    assert!(!one.sink.all().contains(&Told::Replaced(session, connection(2, 1).id)));
    assert_eq!(entered(&redis), "3");
    second.leave(&connection(3, 1));
    eventually("who leaves is removed", || entered(&redis) == "2").await;
    first.enter(&connection(6, 2), LIMITS).await.unwrap();
    for n in 7..=9 {
        first.enter(&connection(n, u64::try_from(n).unwrap()), LIMITS).await.unwrap_or_default();
    }
    assert_eq!(entered(&redis), "5", "and who is refused is not entered");
}

/// One that was replaced keeps its socket for a moment. Were it entered again meanwhile, it could end the one that
/// replaced it, whose id may be older: clocks of nodes differ.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn one_that_was_replaced_is_not_entered_again() {
    let redis = PrivateRedis::start(&[]).unwrap();
    let node = Node::start(&redis, 1).await;
    let registry = registry(&node, &redis).await;
    let one = ConnectionLimits { per_session: 1, per_user: 5 };
    let (replaced, stays) = (connection(2, 1), connection(1, 1));
    registry.enter(&replaced, one).await.unwrap();
    registry.enter(&stays, one).await.unwrap();
    redis.command(&["FLUSHALL"]).unwrap();
    eventually("it is entered again", || entered(&redis) == "1").await;
    // All that were entered again are told to leave, which comes last.
    registry.leave(&replaced);
    let probe = Connection { user_id: fixtures::bob().id, ..connection(3, 1) };
    registry.enter(&probe, one).await.unwrap();
    registry.enter(&Connection { id: connection(4, 1).id, ..probe.clone() }, one).await.unwrap();
    node.sink.until_told(0, Told::Replaced(probe.session_id, probe.id)).await;
    assert!(!node.sink.all().contains(&Told::Replaced(stays.session_id, stays.id)));
    assert_eq!(entered(&redis), "1");
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
    let leases = format!("*:lease:{}:*", Uuid::from_u128(2));
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
    let key = redis.command(&["KEYS", "*:connections:alice"]).unwrap();
    assert_eq!(redis.command(&["HEXISTS", &key, &connection(1, 1).id.to_string()]).unwrap(), "0");
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
