//! Typing of people whose sockets are on several nodes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use chat_domain::ports::StartPosition;
use chat_realtime::{Hub, PeerEvent, PeerNotifier, PeerSink, PeerTyping, run_typing_expiry};
use tokio::time::{Instant, advance};

use crate::support::{Received, World, durable};

/// Takes the typing events between nodes, one after the other: all nodes receive all of them in the same order.
#[derive(Default)]
struct Broker {
    hubs: OnceLock<Vec<Arc<Hub>>>,
    said: Mutex<VecDeque<(usize, PeerTyping)>>,
    busy: AtomicBool,
}

impl Broker {
    fn take(&self, from: usize, event: PeerTyping) {
        self.said.lock().unwrap().push_back((from, event));
        if self.busy.swap(true, Ordering::SeqCst) {
            // A node may publish while it receives an event. That comes later.
            return;
        }
        while let Some((from, event)) = self.next() {
            for (_, hub) in self.hubs.get().into_iter().flatten().enumerate().filter(|(to, _)| *to != from) {
                hub.deliver(PeerEvent::Typing(event.clone()));
            }
        }
        self.busy.store(false, Ordering::SeqCst);
    }

    fn next(&self) -> Option<(usize, PeerTyping)> {
        self.said.lock().unwrap().pop_front()
    }
}

/// A node's way to the others.
struct Wire {
    from: usize,
    broker: Arc<Broker>,
}

impl PeerNotifier for Wire {
    fn publish(&self, event: PeerTyping) {
        self.broker.take(self.from, event);
    }
}

/// Keeps what a node says of typing to the others.
#[derive(Default)]
struct Counter(Mutex<Vec<bool>>);

impl PeerNotifier for Counter {
    fn publish(&self, event: PeerTyping) {
        self.0.lock().unwrap().push(event.is_typing);
    }
}

struct Node {
    world: World,
}

impl Node {
    /// A person's word that comes to this node.
    fn type_as(&self, id: &str, is_typing: bool) {
        self.world.type_as(id, is_typing);
    }
}

/// Three nodes that reach each other, with the expiry running on each.
fn nodes() -> [Node; 3] {
    let broker = Arc::new(Broker::default());
    let nodes = [0, 1, 2].map(|from| {
        let world = World::with_past(1);
        world.hub.set_peer_notifier(Arc::new(Wire { from, broker: Arc::clone(&broker) }));
        tokio::spawn(run_typing_expiry(Arc::clone(&world.hub)));
        Node { world }
    });
    assert!(broker.hubs.set(nodes.iter().map(|node| Arc::clone(&node.world.hub)).collect()).is_ok());
    nodes
}

fn types(id: &str) -> Received {
    Received::Typing(id.to_owned(), true)
}

fn stops(id: &str) -> Received {
    Received::Typing(id.to_owned(), false)
}

#[tokio::test(start_paused = true)]
async fn a_typist_with_a_socket_on_another_node_stays_typing() {
    let [first, second, third] = nodes();
    let mut alice = second.world.subscribe("alice", StartPosition::Now).await;
    let mut root = third.world.subscribe("root", StartPosition::Now).await;
    let here = first.world.subscribe("bob", StartPosition::Now).await;
    let there = second.world.subscribe("bob", StartPosition::Now).await;
    second.type_as("bob", true);
    let last_word = Instant::now();
    assert_eq!(alice.next().await, types("bob"));
    assert_eq!(root.next().await, types("bob"));

    advance(Duration::from_secs(4)).await;
    drop(here);
    // The third node cannot know better than the first until the second has spoken, which it does before anyone is
    // shown a stop. What it says does not last longer than what had been said.
    assert_eq!(alice.next().await, stops("bob"));
    assert_eq!(root.next().await, stops("bob"));
    let silence = last_word.elapsed();
    assert!(silence >= Duration::from_secs(10) && silence <= Duration::from_millis(10_600), "{silence:?}");
    for node in [&first, &second, &third] {
        assert_eq!(node.world.hub.typists(), 0);
    }
    drop(there);
    alice.stays_quiet_for(Duration::from_secs(20)).await;
    root.stays_quiet_for(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn typing_ends_on_all_nodes_with_the_typists_last_socket() {
    let [first, second, third] = nodes();
    let mut root = third.world.subscribe("root", StartPosition::Now).await;
    let here = first.world.subscribe("bob", StartPosition::Now).await;
    let there = second.world.subscribe("bob", StartPosition::Now).await;
    // As a request that came to a node where they have no socket.
    third.type_as("bob", true);
    assert_eq!(root.next().await, types("bob"));
    drop(here);
    root.stays_quiet_for(Duration::from_secs(3)).await;
    drop(there);
    assert_eq!(root.next().await, stops("bob"));
    root.stays_quiet_for(Duration::from_secs(20)).await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_on_one_node_is_a_stop_on_all_nodes() {
    let [first, second, third] = nodes();
    let mut alice = second.world.subscribe("alice", StartPosition::Now).await;
    let mut root = third.world.subscribe("root", StartPosition::Now).await;
    let _here = first.world.subscribe("bob", StartPosition::Now).await;
    let _there = second.world.subscribe("bob", StartPosition::Now).await;
    second.type_as("bob", true);
    first.type_as("bob", false);
    for subscriber in [&mut alice, &mut root] {
        assert_eq!(subscriber.next().await, types("bob"));
        assert_eq!(subscriber.next().await, stops("bob"));
    }
    for subscriber in [&mut alice, &mut root] {
        subscriber.stays_quiet_for(Duration::from_secs(20)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_shutdown_ends_its_typists_on_other_nodes() {
    let [first, second, third] = nodes();
    let mut root = third.world.subscribe("root", StartPosition::Now).await;
    let _bob = first.world.subscribe("bob", StartPosition::Now).await;
    let _carol = second.world.subscribe("carol", StartPosition::Now).await;
    first.type_as("bob", true);
    second.type_as("carol", true);
    assert_eq!(root.next().await, types("bob"));
    assert_eq!(root.next().await, types("carol"));
    let before = Instant::now();
    first.world.hub.shutdown();
    assert_eq!(root.next().await, stops("bob"));
    // Not sooner than the next change may be shown.
    assert!(before.elapsed() < Duration::from_millis(2_300), "{:?}", before.elapsed());
    // The one who is somewhere else types on.
    root.stays_quiet_for(Duration::from_secs(7)).await;
    assert_eq!(root.next().await, stops("carol"));
}

#[tokio::test(start_paused = true)]
async fn typing_that_alternates_between_nodes_is_limited_on_every_node() {
    let nodes = nodes();
    let mut subscribers = Vec::new();
    for node in &nodes {
        subscribers.push(node.world.subscribe("alice", StartPosition::Now).await);
    }
    let started = Instant::now();
    // As requests that a load balancer takes to one node after the other.
    for n in 0..100 {
        nodes[n % 3].type_as("bob", n % 2 == 0);
        advance(Duration::from_millis(100)).await;
    }
    for subscriber in &mut subscribers {
        let mut received = Vec::new();
        while let Ok(event) = tokio::time::timeout(Duration::from_secs(5), subscriber.event()).await {
            received.push(Received::of(&event));
        }
        // Ten seconds of words, and what waited at their end.
        assert!(received.len() <= 7, "{received:?}");
        assert_eq!(received.last(), Some(&stops("bob")), "the last word of all");
    }
    assert!(started.elapsed() < Duration::from_mins(1));
}

#[tokio::test(start_paused = true)]
async fn other_nodes_get_no_more_typing_than_the_sockets() {
    let world = World::with_past(1);
    let counter = Arc::new(Counter::default());
    world.hub.set_peer_notifier(Arc::clone(&counter) as _);
    tokio::spawn(run_typing_expiry(Arc::clone(&world.hub)));
    // No subscription here: the typing is for the other nodes alone.
    for n in 0..100 {
        world.type_as("bob", n % 2 == 0);
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(*counter.0.lock().unwrap(), [true, false]);
}

#[tokio::test(start_paused = true)]
async fn a_message_ends_its_authors_typing_on_all_nodes() {
    let nodes = nodes();
    let mut subscribers = Vec::new();
    for node in &nodes {
        subscribers.push(node.world.subscribe("bob", StartPosition::Now).await);
    }
    nodes[0].type_as("alice", true);
    // The message comes to another node than the typing, and to all of them.
    nodes[1].world.publish(durable(2));
    for node in [&nodes[0], &nodes[2]] {
        node.world.hub.deliver(PeerEvent::Durable(durable(2)));
    }
    for subscriber in &mut subscribers {
        assert_eq!(subscriber.next().await, types("alice"));
        assert_eq!(subscriber.next().await, Received::Seq(2));
        assert_eq!(subscriber.next().await, stops("alice"));
    }
    for subscriber in &mut subscribers {
        subscriber.stays_quiet_for(Duration::from_secs(20)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_waiting_stop_reaches_other_nodes_at_shutdown() {
    let [first, second, _third] = nodes();
    let mut root = second.world.subscribe("root", StartPosition::Now).await;
    first.type_as("bob", true);
    first.type_as("bob", false);
    assert_eq!(root.next().await, types("bob"));
    first.world.hub.shutdown();
    assert_eq!(root.next().await, stops("bob"));
    root.stays_quiet_for(Duration::from_secs(20)).await;
}
