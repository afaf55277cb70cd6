//! Typing of people whose sockets are on several nodes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use chat_domain::model::LiveEvent;
use chat_domain::ports::{EventSink, Notifier, Start};
use chat_realtime::{Hub, run_typing_expiry};
use tokio::time::{Instant, advance};

use crate::support::{Heard, World, typing};

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

struct Node {
    world: World,
    wire: Arc<Wire>,
}

impl Node {
    /// A person's word that comes to this node.
    fn type_as(&self, id: &str, is_typing: bool) {
        self.world.type_as(id, is_typing);
        self.wire.publish(typing(id, is_typing));
    }
}

/// Three nodes that hear each other, with the expiry running on each.
fn nodes() -> [Node; 3] {
    let broker = Arc::new(Broker::default());
    let nodes = [0, 1, 2].map(|from| {
        let world = World::with_past(1);
        let wire = Arc::new(Wire { from, broker: Arc::clone(&broker) });
        world.hub.forward_to(Arc::clone(&wire) as _);
        tokio::spawn(run_typing_expiry(Arc::clone(&world.hub)));
        Node { world, wire }
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
    // The third node cannot know better than the first until the second has spoken, which it does at once.
    assert_eq!(root.next().await, stops("bob"));
    assert_eq!(root.next().await, types("bob"));
    assert!(last_word.elapsed() < Duration::from_secs(5));

    // What was said again does not last longer than what had been said.
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
    assert_eq!(root.next().await, stops("bob"));
    assert_eq!(root.next().await, types("bob"));
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
    assert!(before.elapsed() < Duration::from_secs(1), "{:?}", before.elapsed());
    // The one who is somewhere else types on.
    root.hears_nothing_for(Duration::from_secs(9)).await;
    assert_eq!(root.next().await, stops("carol"));
}
