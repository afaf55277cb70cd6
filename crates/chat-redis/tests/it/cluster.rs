//! Nodes at different members of a Redis Cluster, and what becomes of them when a member goes or keys move.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use chat_domain::model::{Connection, ConnectionId, ConnectionLimits, TicketDigest};
use chat_domain::ports::{ConnectionRegistry, EventSink, Missed, TicketStore};
use chat_redis::{Prefix, RedisConfig, RedisFanout, RedisUrl};
use chat_testkit::contract::connection_registry::{Registries, RegistryNode};
use chat_testkit::contract::ticket_store::TicketStores;
use chat_testkit::{FewTickets, MemoryConnections, Replacements, fixtures};
use test_redis::{PrivateCluster, PrivateRedis};
use uuid::Uuid;

use crate::support::{Node, PATIENCE, Told, event, eventually, ticket, tickets_of, trouble, until_tickets_are_shared};

const MEMBERS: usize = 3;
const LIMITS: ConnectionLimits = ConnectionLimits { per_session: 3, per_user: 5 };

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

/// The keys of a kind at a member.
fn keys(member: &PrivateRedis, kind: &str) -> usize {
    keys_of("chat", member, kind)
}

fn keys_of(prefix: &str, member: &PrivateRedis, kind: &str) -> usize {
    let keys = member.command(&["KEYS", &format!("{{{prefix}}}:{kind}:*")]).unwrap();
    keys.lines().filter(|line| !line.is_empty()).count()
}

fn connection(n: u128) -> Connection {
    Connection {
        id: ConnectionId::new(Uuid::from_u128(n)),
        session_id: fixtures::session_id(1),
        user_id: fixtures::alice().id,
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn events_reach_the_nodes_at_all_members_in_order_and_nothing_is_missed() {
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
            node.sink.until(|all| all.iter().filter(|told| matches!(told, Told::Event(_))).count() >= wanted).await;
        }
    }
    let sent: Vec<_> = (0..bursts * BURST).map(|n| event(n % 70, n)).collect();
    for (node, from) in nodes.iter().zip(from).skip(1) {
        assert!(node.sink.events() == sent, "the events as they were sent");
        let missed = node.sink.all()[from..].iter().filter(|told| matches!(told, Told::Missed(_))).count();
        assert_eq!(missed, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn a_node_whose_member_is_killed_goes_on_at_another() {
    let cluster = cluster();
    let victim = 0;
    let (node, other) = (node_at(&cluster, 1, victim).await, node_at(&cluster, 2, 1).await);
    assert_eq!(listeners(&cluster.members()[victim]), 1);
    let (from, other_from) = (node.sink.len(), other.sink.len());
    cluster.members()[victim].kill().unwrap();
    node.until_heard_again(from).await;
    let told = node.sink.all();
    let heard = from + told[from..].iter().position(|told| *told == Told::Heard(true)).unwrap();
    let all_missed = told[from..heard].iter().filter(|told| **told == Told::Missed(Missed::Everywhere)).count();
    assert_eq!(all_missed, 1, "{told:?}");
    node.notifier.publish(event(1, 1));
    other.sink.until_told(other_from, Told::Event(event(1, 1))).await;
    other.notifier.publish(event(2, 2));
    node.sink.until_told(from, Told::Event(event(2, 2))).await;
    assert!(!other.sink.all()[other_from..].contains(&Told::Heard(false)), "the other one is at a living member");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn the_keys_are_found_from_every_member() {
    let cluster = cluster();
    let (_, owner) = cluster.owner("{chat}").unwrap();
    // Each knows one member only, and asks that for the owner.
    let mut stores = Vec::new();
    let mut nodes = Vec::new();
    for (n, member) in (1..).zip(cluster.members()) {
        let node = Node::start_at(&member.url(), n).await;
        stores.push(tickets_of(&node));
        nodes.push(node);
    }
    for (one, other) in [(0, 1), (1, 2), (2, 0)] {
        until_tickets_are_shared(&stores[one], &stores[other]).await;
    }
    let digest = TicketDigest::of("kept");
    stores[(owner + 1) % MEMBERS].put(digest, ticket(), fixtures::start()).await.unwrap();
    let kept: Vec<usize> = cluster.members().iter().map(|member| keys(member, "ticket")).collect();
    assert!((0..MEMBERS).all(|member| (kept[member] > 0) == (member == owner)), "{kept:?}, owner {owner}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn without_the_member_that_has_the_keys_each_node_decides_alone_and_events_flow() {
    let cluster = cluster();
    let (_, owner) = cluster.owner("{chat}").unwrap();
    let (one, other) =
        (node_at(&cluster, 1, (owner + 1) % MEMBERS).await, node_at(&cluster, 2, (owner + 2) % MEMBERS).await);
    let (first, second) = (tickets_of(&one), tickets_of(&other));
    let places = one.fanout.connections(Arc::new(MemoryConnections::new(Arc::clone(&one.sink) as Arc<dyn EventSink>)));
    until_tickets_are_shared(&first, &second).await;
    eventually("the node has a lease", || keys(&cluster.members()[owner], "lease") > 0).await;
    let from = [&one, &other].map(|node| node.sink.len());
    cluster.members()[owner].kill().unwrap();
    // What is asked at the moment of the kill may be without an answer; then nobody is asked.
    let digest = |n: u32| TicketDigest::of(&format!("alone {n}"));
    let mut n = 0;
    while first.put(digest(n), ticket(), fixtures::start()).await.is_err() {
        n += 1;
    }
    assert!(first.take(digest(n), fixtures::start()).await.unwrap().is_some());
    for n in 1..=4 {
        places.enter(&connection(n), LIMITS).await.unwrap();
    }
    one.sink.until_told(from[0], Told::Replaced(fixtures::session_id(1), connection(1).id)).await;
    one.notifier.publish(event(1, 1));
    other.sink.until_told(from[1], Told::Event(event(1, 1))).await;
    assert!(one.fanout.is_connected() && other.fanout.is_connected());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn keys_may_move_to_another_member() {
    let cluster = cluster();
    let (slot, owner) = cluster.owner("{chat}").unwrap();
    let (slot, target) = (slot.to_string(), (owner + 1) % MEMBERS);
    let (source, target) = (&cluster.members()[owner], &cluster.members()[target]);
    let (one, other) = (node_at(&cluster, 1, owner).await, node_at(&cluster, 2, owner).await);
    let (first, second) = (tickets_of(&one), tickets_of(&other));
    until_tickets_are_shared(&first, &second).await;
    let before = TicketDigest::of("before");
    first.put(before, ticket(), fixtures::start()).await.unwrap();
    let [from, to] = [source, target].map(|member| member.command(&["CLUSTER", "MYID"]).unwrap());
    target.command(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from]).unwrap();
    source.command(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to]).unwrap();
    // A new key is at none of them now, so its node keeps it.
    let during = TicketDigest::of("during");
    first.put(during, ticket(), fixtures::start()).await.unwrap();
    assert!(first.take(during, fixtures::start()).await.unwrap().is_some());
    let there = source.command(&["CLUSTER", "GETKEYSINSLOT", &slot, "100"]).unwrap();
    let port = target.port().to_string();
    let mut migrate = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
    migrate.extend(there.lines());
    source.command(&migrate).unwrap();
    for member in [target, source] {
        member.command(&["CLUSTER", "SETSLOT", &slot, "NODE", &to]).unwrap();
    }
    until_tickets_are_shared(&first, &second).await;
    assert!(second.take(before, fixtures::start()).await.unwrap().is_some(), "it has moved with the others");
    first.put(TicketDigest::of("after"), ticket(), fixtures::start()).await.unwrap();
    assert!(keys(target, "ticket") > 0 && keys(source, "ticket") == 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn a_numbered_database_in_a_cluster_is_refused_in_words_that_say_why() {
    let cluster = PrivateCluster::start(1, &[]).unwrap();
    let said = trouble(&Node::begin_at(&format!("{}/1", cluster.url_from(0)), 1, |_| ())).await;
    assert!(said.contains("a cluster has no numbered databases"), "{said}");
}

/// Two nodes at two members, with a megabyte for tickets at each of the members; each node keeps twenty itself.
async fn two_nodes_with_tickets() -> TicketStores {
    let cluster = cluster();
    let nodes = [node_at(&cluster, 1, 0).await, node_at(&cluster, 2, 1).await];
    let stores: Vec<Arc<dyn TicketStore>> =
        nodes.iter().map(|node| node.fanout.tickets(Arc::new(FewTickets::with_capacity(20)))).collect();
    until_tickets_are_shared(&stores[0], &stores[1]).await;
    until_tickets_are_shared(&stores[1], &stores[0]).await;
    for member in cluster.members() {
        member.command(&["FLUSHALL"]).unwrap();
        let memory = member.command(&["INFO", "memory"]).unwrap();
        let used = memory.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap();
        let limit = used.trim().parse::<u64>().unwrap() + (1 << 20);
        member.command(&["CONFIG", "SET", "maxmemory", &limit.to_string()]).unwrap();
    }
    TicketStores::new(stores, Box::new((nodes, cluster)))
}

mod tickets_contract {
    chat_testkit::ticket_store_contract!(
        #[ignore = "needs Redis: cargo xtask test"]
        super::two_nodes_with_tickets
    );
}

/// One cluster for all cases of places, as it takes seconds to come up; each case has names of its own there, and so its
/// keys at one member or another. It ends with the process.
fn shared_cluster() -> (&'static PrivateCluster, String) {
    static CLUSTER: OnceLock<PrivateCluster> = OnceLock::new();
    static CASES: AtomicU32 = AtomicU32::new(0);
    (CLUSTER.get_or_init(cluster), format!("case{}", CASES.fetch_add(1, Ordering::Relaxed)))
}

async fn two_nodes_with_places() -> Registries {
    let (cluster, prefix) = shared_cluster();
    let (_, owner) = cluster.owner(&format!("{{{prefix}}}")).unwrap();
    let (mut fanouts, mut nodes) = (Vec::new(), Vec::new());
    for n in 1..=2 {
        let id = Uuid::from_u128(u128::try_from(n).unwrap());
        let mut config = RedisConfig::new(RedisUrl::parse(&url_at(cluster, n, n)).unwrap(), id);
        config.prefix = Prefix::parse(&prefix).unwrap();
        // Patient, so that a busy machine is no slow Redis.
        config.budget = PATIENCE;
        let ended = Arc::new(Replacements::new());
        let sink = Arc::clone(&ended) as Arc<dyn EventSink>;
        let fanout = RedisFanout::connect(config, Arc::clone(&sink)).unwrap();
        assert!(fanout.wait_until_connected(PATIENCE).await);
        let registry: Arc<dyn ConnectionRegistry> = fanout.connections(Arc::new(MemoryConnections::new(sink)));
        let lease = format!("lease:{id}");
        eventually("the node has a lease", || keys_of(&prefix, &cluster.members()[owner], &lease) > 0).await;
        nodes.push(RegistryNode { registry, ended });
        fanouts.push(fanout);
    }
    Registries::new(nodes, PATIENCE, Box::new(fanouts))
}

mod places_contract {
    chat_testkit::connection_registry_contract!(
        #[ignore = "needs Redis: cargo xtask test"]
        super::two_nodes_with_places
    );
}
