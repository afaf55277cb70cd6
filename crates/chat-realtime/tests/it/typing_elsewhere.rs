//! Typing of people whose sockets are on several nodes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use chat_domain::model::LiveEvent;
use chat_domain::ports::{EventSink, Notifier, Start};
use chat_realtime::{Hub, run_typing_expiry};
use tokio::time::{Instant, advance};

use crate::support::{Heard, World, durable};

/// Takes what nodes say to the others, one after the other: everyone hears everything in the same order.
#[derive(Default)]
struct Broker {
    hubs: OnceLock<Vec<Arc<Hub>>>,
    said: Mutex<VecDeque<(usize, LiveEvent)>>,
    busy: AtomicBool,
}

impl Broker {
    fn take(&self, from: usize, event: LiveEvent) {
        self.said.lock().unwrap().push_back((from, event));
        if self.busy.swap(true, Ordering::SeqCst) {
            // A node answers while it is told something. That comes later.
            return;
        }
        while let Some((from, event)) = self.next() {
            for (_, hub) in self.hubs.get().into_iter().flatten().enumerate().filter(|(to, _)| *to != from) {
                hub.deliver(event.clone());
            }
        }
        self.busy.store(false, Ordering::SeqCst);
    }

    fn next(&self) -> Option<(usize, LiveEvent)> {
        self.said.lock().unwrap().pop_front()
    }
}

/// A node's way to the others.
struct Wire {
    from: usize,
    broker: Arc<Broker>,
}

impl Notifier for Wire {
    fn publish(&self, event: LiveEvent) {
        self.broker.take(self.from, event);
    }
}

/// Keeps what a node says of typing to the others.
#[derive(Default)]
struct Counter(Mutex<Vec<bool>>);

impl Notifier for Counter {
    fn publish(&self, event: LiveEvent) {
        if let LiveEvent::Typing(word) = event {
            self.0.lock().unwrap().push(word.is_typing);
        }
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

/// Three nodes that hear each other, with the expiry running on each.
fn nodes() -> [Node; 3] {
    let broker = Arc::new(Broker::default());
    let nodes = [0, 1, 2].map(|from| {
        let world = World::with_past(1);
        world.hub.forward_to(Arc::new(Wire { from, broker: Arc::clone(&broker) }));
        tokio::spawn(run_typing_expiry(Arc::clone(&world.hub)));
        Node { world }
    });
    assert!(broker.hubs.set(nodes.iter().map(|node| Arc::clone(&node.world.hub)).collect()).is_ok());
    nodes
}

fn types(id: &str) -> Heard {
    Heard::Typing(id.to_owned(), true)
}

fn stops(id: &str) -> Heard {
    Heard::Typing(id.to_owned(), false)
}

#[tokio::test(start_paused = true)]
async fn who_leaves_one_node_types_on_for_those_who_watch_at_the_others() {
    let [first, second, third] = nodes();
    let mut alice = second.world.follow("alice", Start::Now).await;
    let mut root = third.world.follow("root", Start::Now).await;
    let here = first.world.follow("bob", Start::Now).await;
    let there = second.world.follow("bob", Start::Now).await;
    second.type_as("bob", true);
    let last_word = Instant::now();
    assert_eq!(alice.next().await, types("bob"));
    assert_eq!(root.next().await, types("bob"));

    advance(Duration::from_secs(4)).await;
    drop(here);
    // The third node cannot know better than the first until the second has spoken, which it does before anyone is shown
    // a stop. What it says does not last longer than what had been said.
    assert_eq!(alice.next().await, stops("bob"));
    assert_eq!(root.next().await, stops("bob"));
    let silence = last_word.elapsed();
    assert!(silence >= Duration::from_secs(10) && silence <= Duration::from_millis(10_600), "{silence:?}");
    for node in [&first, &second, &third] {
        assert_eq!(node.world.hub.typists(), 0);
    }
    drop(there);
    alice.hears_nothing_for(Duration::from_secs(20)).await;
    root.hears_nothing_for(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn typing_ends_everywhere_when_the_last_socket_on_any_node_goes() {
    let [first, second, third] = nodes();
    let mut root = third.world.follow("root", Start::Now).await;
    let here = first.world.follow("bob", Start::Now).await;
    let there = second.world.follow("bob", Start::Now).await;
    // As a request that came to a node where they have no socket.
    third.type_as("bob", true);
    assert_eq!(root.next().await, types("bob"));
    drop(here);
    root.hears_nothing_for(Duration::from_secs(3)).await;
    drop(there);
    assert_eq!(root.next().await, stops("bob"));
    root.hears_nothing_for(Duration::from_secs(20)).await;
}

#[tokio::test(start_paused = true)]
async fn who_says_on_one_node_that_they_stopped_has_stopped_on_all() {
    let [first, second, third] = nodes();
    let mut alice = second.world.follow("alice", Start::Now).await;
    let mut root = third.world.follow("root", Start::Now).await;
    let _here = first.world.follow("bob", Start::Now).await;
    let _there = second.world.follow("bob", Start::Now).await;
    second.type_as("bob", true);
    first.type_as("bob", false);
    for watcher in [&mut alice, &mut root] {
        assert_eq!(watcher.next().await, types("bob"));
        assert_eq!(watcher.next().await, stops("bob"));
    }
    for watcher in [&mut alice, &mut root] {
        watcher.hears_nothing_for(Duration::from_secs(20)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_shuts_down_ends_the_typing_of_its_own_people_elsewhere() {
    let [first, second, third] = nodes();
    let mut root = third.world.follow("root", Start::Now).await;
    let _bob = first.world.follow("bob", Start::Now).await;
    let _carol = second.world.follow("carol", Start::Now).await;
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
    root.hears_nothing_for(Duration::from_secs(7)).await;
    assert_eq!(root.next().await, stops("carol"));
}

#[tokio::test(start_paused = true)]
async fn typing_that_alternates_between_nodes_reaches_others_once_in_two_seconds_everywhere() {
    let nodes = nodes();
    let mut watchers = Vec::new();
    for node in &nodes {
        watchers.push(node.world.follow("alice", Start::Now).await);
    }
    let started = Instant::now();
    // As requests that a load balancer takes to one node after the other.
    for n in 0..100 {
        nodes[n % 3].type_as("bob", n % 2 == 0);
        advance(Duration::from_millis(100)).await;
    }
    for watcher in &mut watchers {
        let mut heard = Vec::new();
        while let Ok(event) = tokio::time::timeout(Duration::from_secs(5), watcher.event()).await {
            heard.push(Heard::of(&event));
        }
        // Ten seconds of words, and what waited at their end.
        assert!(heard.len() <= 7, "{heard:?}");
        assert_eq!(heard.last(), Some(&stops("bob")), "the last word of all");
    }
    assert!(started.elapsed() < Duration::from_mins(1));
}

#[tokio::test(start_paused = true)]
async fn other_nodes_hear_no_more_than_the_watchers() {
    let world = World::with_past(1);
    let counter = Arc::new(Counter::default());
    world.hub.forward_to(Arc::clone(&counter) as _);
    tokio::spawn(run_typing_expiry(Arc::clone(&world.hub)));
    // Nobody watches here: what is said is for the other nodes alone.
    for n in 0..100 {
        world.type_as("bob", n % 2 == 0);
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(*counter.0.lock().unwrap(), [true, false]);
}

#[tokio::test(start_paused = true)]
async fn a_message_ends_its_authors_typing_on_all_nodes() {
    let nodes = nodes();
    let mut watchers = Vec::new();
    for node in &nodes {
        watchers.push(node.world.follow("bob", Start::Now).await);
    }
    nodes[0].type_as("alice", true);
    // The message comes to another node than the typing, and to all of them.
    nodes[1].world.publish(durable(2));
    for node in [&nodes[0], &nodes[2]] {
        node.world.hub.deliver(LiveEvent::Durable(durable(2)));
    }
    for watcher in &mut watchers {
        assert_eq!(watcher.next().await, types("alice"));
        assert_eq!(watcher.next().await, Heard::Seq(2));
        assert_eq!(watcher.next().await, stops("alice"));
    }
    for watcher in &mut watchers {
        watcher.hears_nothing_for(Duration::from_secs(20)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_waits_reaches_other_nodes_when_its_node_shuts_down() {
    let [first, second, _third] = nodes();
    let mut root = second.world.follow("root", Start::Now).await;
    first.type_as("bob", true);
    first.type_as("bob", false);
    assert_eq!(root.next().await, types("bob"));
    first.world.hub.shutdown();
    assert_eq!(root.next().await, stops("bob"));
    root.hears_nothing_for(Duration::from_secs(20)).await;
}
