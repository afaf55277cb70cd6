//! Tickets over two nodes, and without Redis.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_domain::error::ChatError;
use chat_domain::model::{TICKET_LIFETIME, Ticket, TicketDigest, Timestamp};
use chat_domain::ports::TicketStore;
use chat_testkit::{MemoryTickets, fixtures};
use test_redis::PrivateRedis;

use crate::support::{Node, Told, eventually};

fn now() -> Timestamp {
    fixtures::start()
}

fn ticket() -> Ticket {
    let mut holder = fixtures::bob();
    holder.name = Some("Bob \"B\" é".to_owned());
    Ticket {
        holder,
        session_id: fixtures::session_id(1),
        token_expires_at: fixtures::at(600),
        expires_at: now().plus(TICKET_LIFETIME),
    }
}

fn digest(n: u32) -> TicketDigest {
    TicketDigest::of(&n.to_string())
}

/// The tickets of a node, with those that it keeps itself.
fn tickets(node: &Node) -> (Arc<dyn TicketStore>, Arc<MemoryTickets>) {
    let local = Arc::new(MemoryTickets::new());
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

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: cargo xtask test"]
async fn a_ticket_of_one_node_is_taken_once_on_all() {
    let redis = PrivateRedis::start(&[]).unwrap();
    let nodes = [Node::start(&redis, 1).await, Node::start(&redis, 2).await];
    let stores = nodes.each_ref().map(|node| tickets(node).0);
    for store in &stores {
        shared(store, &redis).await;
    }
    for round in 0..20 {
        stores[0].put(digest(round), ticket(), now()).await.unwrap();
        let takers: Vec<_> = (0..50)
            .map(|n| {
                let store = Arc::clone(&stores[n % 2]);
                tokio::spawn(async move { store.take(digest(round), now()).await.unwrap() })
            })
            .collect();
        let mut taken = Vec::new();
        for taker in takers {
            taken.extend(taker.await.unwrap());
        }
        assert_eq!(taken, [ticket()], "round {round}");
    }
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
    let keys = redis.command(&["KEYS", "chat:ticket:*"]).unwrap();
    assert_eq!(keys, "chat:ticket:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    let left: u64 = redis.command(&["PTTL", &keys]).unwrap().parse().unwrap();
    assert!((1..=30_000).contains(&left), "{left}");
    // The node's clock decides, even when Redis still has it.
    assert_eq!(store.take(digest, now().plus(TICKET_LIFETIME)).await.unwrap(), None);
    assert_eq!(store.take(digest, now()).await.unwrap(), None);
    // One that has ended is not kept at all.
    store.put(digest, ticket(), now().plus(TICKET_LIFETIME)).await.unwrap();
    assert_eq!(redis.command(&["KEYS", "chat:ticket:*"]).unwrap(), "");
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
    assert_eq!(store.take(digest(n), now()).await.unwrap(), None);
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
