//! Tickets over two nodes, and without Redis.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_domain::error::ChatError;
use chat_domain::model::{TICKET_LIFETIME, Ticket, TicketDigest, Timestamp};
use chat_domain::ports::TicketStore;
use chat_testkit::contract::ticket_store::TicketStores;
use chat_testkit::{FewTickets, fixtures};
use test_redis::PrivateRedis;

use crate::support::{Node, Told, eventually};

fn now() -> Timestamp {
    fixtures::start()
}

fn ticket() -> Ticket {
    Ticket {
        holder: fixtures::bob(),
        session_id: fixtures::session_id(1),
        token_expires_at: fixtures::at(600),
        expires_at: now().plus(TICKET_LIFETIME),
    }
}

fn digest(n: u32) -> TicketDigest {
    TicketDigest::of(&n.to_string())
}

/// The tickets of a node, with those that it keeps itself.
fn tickets(node: &Node) -> (Arc<dyn TicketStore>, Arc<FewTickets>) {
    let local = Arc::new(FewTickets::new());
    (node.fanout.tickets(Arc::clone(&local) as Arc<dyn TicketStore>), local)
}

/// Waits until tickets go to Redis.
async fn shared(tickets: &Arc<dyn TicketStore>, redis: &PrivateRedis) {
    for n in 1_000_000.. {
        if tickets.put(digest(n), ticket(), now()).await.is_ok() && redis.command(&["DBSIZE"]).unwrap() != "0" {
            redis.command(&["FLUSHALL"]).unwrap();
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// So many nodes on a Redis with a megabyte for tickets; each keeps twenty itself when that is full.
async fn nodes_with_little_memory(count: u128) -> TicketStores {
    let redis = PrivateRedis::start(&[]).unwrap();
    let (mut nodes, mut stores) = (Vec::new(), Vec::new());
    for n in 1..=count {
        let node = Node::start(&redis, n).await;
        let store = node.fanout.tickets(Arc::new(FewTickets::with_capacity(20)));
        shared(&store, &redis).await;
        nodes.push(node);
        stores.push(store);
    }
    let memory = redis.command(&["INFO", "memory"]).unwrap();
    let used = memory.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap();
    let limit = used.trim().parse::<u64>().unwrap() + (1 << 20);
    redis.command(&["CONFIG", "SET", "maxmemory", &limit.to_string()]).unwrap();
    TicketStores::new(stores, Box::new((nodes, redis)))
}

async fn one_node() -> TicketStores {
    nodes_with_little_memory(1).await
}

async fn two_nodes() -> TicketStores {
    nodes_with_little_memory(2).await
}

mod contract_on_one_node {
    chat_testkit::ticket_store_contract!(
        #[ignore = "needs Redis: cargo xtask test"]
        super::one_node
    );
}

mod contract_on_two_nodes {
    chat_testkit::ticket_store_contract!(
        #[ignore = "needs Redis: cargo xtask test"]
        super::two_nodes
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn redis_holds_a_digest_for_as_long_as_the_ticket_lasts() {
    let redis = PrivateRedis::start(&[]).unwrap();
    let node = Node::start(&redis, 1).await;
    let (store, _) = tickets(&node);
    shared(&store, &redis).await;
    let digest = TicketDigest::of("abc");
    store.put(digest, ticket(), now()).await.unwrap();
    let key = redis.command(&["KEYS", "*ticket:*"]).unwrap();
    assert!(key.ends_with(":ticket:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"), "{key}");
    let all_of_bob = redis.command(&["KEYS", "*tickets:*"]).unwrap();
    assert!(all_of_bob.ends_with(":tickets:bob"), "{all_of_bob}");
    for key in [&key, &all_of_bob] {
        let left: u64 = redis.command(&["PTTL", key]).unwrap().parse().unwrap();
        assert!((1..=30_000).contains(&left), "{left}");
    }
    // One that ends sooner does not end the list of them; one that has ended is not kept at all.
    let sooner = Ticket { expires_at: fixtures::at(1), ..ticket() };
    store.put(TicketDigest::of("sooner"), sooner, now()).await.unwrap();
    let left: u64 = redis.command(&["PTTL", &all_of_bob]).unwrap().parse().unwrap();
    assert!(left > 1_000, "{left}");
    store.put(TicketDigest::of("too late"), ticket(), now().plus(TICKET_LIFETIME)).await.unwrap();
    assert_eq!(redis.command(&["ZCARD", &all_of_bob]).unwrap(), "2");
    // Nothing is left of what was used.
    for used in [digest, TicketDigest::of("sooner")] {
        assert!(store.take(used, now()).await.unwrap().is_some());
    }
    assert_eq!(redis.command(&["KEYS", "*ticket*"]).unwrap(), "");
}

/// A ticket that was in Redis and on the node would open two sockets.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn a_ticket_that_redis_refuses_halfway_lies_on_the_node_alone() {
    let redis = PrivateRedis::start(&[]).unwrap();
    let node = Node::start(&redis, 1).await;
    let (store, local) = tickets(&node);
    shared(&store, &redis).await;
    for (n, command) in (0..).zip(["zcount", "zadd", "zremrangebyscore", "pexpire", "set"]) {
        redis.command(&["ACL", "SETUSER", "default", &format!("-{command}")]).unwrap();
        store.put(digest(n), ticket(), now()).await.unwrap();
        redis.command(&["ACL", "SETUSER", "default", &format!("+{command}")]).unwrap();
        assert_eq!(redis.command(&["KEYS", "*ticket:*"]).unwrap(), "", "without {command}");
        assert_eq!(local.take(digest(n), now()).await.unwrap(), Some(ticket()), "without {command}");
        // So that the next one's list is new, and gets a time to live.
        redis.command(&["FLUSHALL"]).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn without_redis_a_ticket_is_kept_and_taken_on_its_node() {
    let redis = PrivateRedis::start(&[]).unwrap();
    let node = Node::start(&redis, 1).await;
    let (store, local) = tickets(&node);
    shared(&store, &redis).await;
    let from = node.sink.len();
    redis.kill().unwrap();
    node.sink.until_told(from, Told::Heard(false)).await;
    // The connection for tickets is another one, whose end may be noticed later.
    let mut n = 0;
    while store.put(digest(n), ticket(), now()).await.is_err() {
        n += 1;
    }
    assert_eq!(local.take(digest(n), now()).await.unwrap(), Some(ticket()));
    store.put(digest(n), ticket(), now()).await.unwrap();
    assert_eq!(store.take(digest(n), now()).await.unwrap(), Some(ticket()));
    // Whether another node has it, nobody knows.
    let unknown = store.take(digest(n), now()).await;
    assert!(matches!(unknown, Err(ChatError::Unavailable { .. })), "{unknown:?}");
    // And they are shared again afterwards.
    redis.start_again().unwrap();
    shared(&store, &redis).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn a_ticket_that_redis_may_have_taken_lies_nowhere_else() {
    let redis = PrivateRedis::start(&[]).unwrap();
    let node = Node::begin(&redis, 1, |_| ());
    let (store, local) = tickets(&node);
    shared(&store, &redis).await;
    redis.freeze().unwrap();
    let start = Instant::now();
    let refused = store.put(digest(1), ticket(), now()).await;
    assert!(matches!(refused, Err(ChatError::Unavailable { .. })), "{refused:?}");
    assert_eq!(local.take(digest(1), now()).await.unwrap(), None);
    // From now on nobody waits for Redis.
    for n in 2..1_000 {
        store.put(digest(n), ticket(), now()).await.unwrap();
        assert!(store.take(digest(n), now()).await.unwrap().is_some());
    }
    let took = start.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
    redis.thaw().unwrap();
}

/// What a frozen Redis was sent it carries out afterwards, although nobody waits for the answer any more.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn a_ticket_that_is_shown_while_redis_is_frozen_works_once_afterwards() {
    let redis = PrivateRedis::start(&[]).unwrap();
    let node = Node::begin(&redis, 1, |config| config.budget = Duration::from_secs(1));
    let (store, _) = tickets(&node);
    shared(&store, &redis).await;
    // Redis may be slow on a busy machine.
    while store.put(digest(1), ticket(), now()).await.is_err() {
        shared(&store, &redis).await;
    }
    assert_ne!(redis.command(&["KEYS", "*ticket:*"]).unwrap(), "");
    redis.freeze().unwrap();
    let start = Instant::now();
    // The first is sent, the others find that there is no connection.
    for _ in 0..100 {
        let answer = store.take(digest(1), now()).await;
        assert!(matches!(answer, Err(ChatError::Unavailable { .. })), "{answer:?}");
    }
    let took = start.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
    redis.thaw().unwrap();
    let again = loop {
        match store.take(digest(1), now()).await {
            Err(ChatError::Unavailable { .. }) => tokio::time::sleep(Duration::from_millis(5)).await,
            answer => break answer.unwrap(),
        }
    };
    assert_eq!(again, Some(ticket()));
    assert_eq!(store.take(digest(1), now()).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn a_full_redis_leaves_tickets_to_the_node() {
    let redis = PrivateRedis::start(&[]).unwrap();
    let node = Node::start(&redis, 1).await;
    let (store, local) = tickets(&node);
    shared(&store, &redis).await;
    redis.command(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();
    store.put(digest(1), ticket(), now()).await.unwrap();
    assert_eq!(local.take(digest(1), now()).await.unwrap(), Some(ticket()));
    redis.command(&["CONFIG", "SET", "maxmemory", "0"]).unwrap();
    eventually("the next one is in Redis", || redis.command(&["PING"]).is_ok()).await;
    store.put(digest(2), ticket(), now()).await.unwrap();
    assert_eq!(local.take(digest(2), now()).await.unwrap(), None);
}
