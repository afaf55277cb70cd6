//! What waits for one watcher.

use std::sync::Arc;

use chat_domain::model::{Change, LiveEvent, Published, Seq};
use chat_realtime::internals::{Limits, Pushed, Queue, Queued};
use chat_testkit::fixtures;

use crate::support::{Heard, durable, typing};

fn event(seq: u64) -> Arc<Published> {
    Published::new(LiveEvent::Durable(durable(seq)))
}

fn queue_of(events: u32) -> Queue {
    Queue::new(Limits { events, bytes: 256 * 1024 })
}

fn pop_event(queue: &mut Queue) -> Option<Heard> {
    match queue.pop()? {
        Queued::Event(event) => Some(Heard::of(&event)),
        Queued::Lost { up_to } => panic!("lost up to {up_to}"),
    }
}

#[test]
fn a_full_queue_is_emptied_and_remembers_the_newest_loss() {
    let mut queue = queue_of(3);
    for seq in [4, 9, 5] {
        assert_eq!(queue.push(&event(seq)), Pushed::Kept);
    }
    let kept = event(6);
    assert_eq!(queue.push(&kept), Pushed::Overflowed);
    assert!(queue.is_empty());
    assert_eq!(Arc::strong_count(&kept), 1, "an event that was dropped is not held");
    assert!(matches!(queue.pop(), Some(Queued::Lost { up_to }) if up_to == Seq::new(9)));
    assert!(queue.pop().is_none());
}

#[test]
fn a_loss_that_nobody_takes_only_moves() {
    let mut queue = queue_of(1);
    for seq in 1..=100 {
        queue.push(&event(seq));
    }
    assert!(queue.is_empty());
    let word = Published::new(typing("bob", true));
    assert_eq!(queue.push(&word), Pushed::Dropped, "typing does not pile up behind a loss");
    assert!(matches!(queue.pop(), Some(Queued::Lost { up_to }) if up_to == Seq::new(100)));
    queue.push(&event(101));
    assert_eq!(pop_event(&mut queue), Some(Heard::Seq(101)));
}

#[test]
fn typing_is_dropped_from_half_full_on() {
    let mut queue = queue_of(4);
    queue.push(&event(1));
    assert_eq!(queue.push(&Published::new(typing("bob", true))), Pushed::Kept);
    assert_eq!(queue.push(&Published::new(typing("bob", false))), Pushed::Dropped);
    queue.push(&event(2));
    assert_eq!(pop_event(&mut queue), Some(Heard::Seq(1)));
    assert_eq!(pop_event(&mut queue), Some(Heard::Typing("bob".to_owned(), true)));
    assert_eq!(pop_event(&mut queue), Some(Heard::Seq(2)));
    assert_eq!(pop_event(&mut queue), None);
}

/// A message of about that many bytes.
fn heavy(seq: u64, bytes: usize) -> Arc<Published> {
    let mut event = durable(seq);
    if let Change::Message(message) = &mut event.change {
        message.content = fixtures::content(&"x".repeat(bytes));
    }
    Published::new(LiveEvent::Durable(event))
}

#[test]
fn a_queue_of_few_heavy_events_is_full_too() {
    let mut queue = Queue::new(Limits { events: 256, bytes: 10_000 });
    assert_eq!(queue.push(&heavy(1, 4_000)), Pushed::Kept);
    assert_eq!(queue.push(&Published::new(typing("bob", true))), Pushed::Kept);
    assert_eq!(queue.push(&heavy(2, 1_000)), Pushed::Kept);
    assert_eq!(queue.push(&Published::new(typing("bob", true))), Pushed::Dropped, "it is half full of bytes");
    assert_eq!(queue.push(&heavy(3, 4_000)), Pushed::Overflowed);
    assert_eq!((queue.len(), queue.bytes()), (0, 0));
    assert_eq!(queue.push(&heavy(4, 10)), Pushed::StillLost);
    assert!(matches!(queue.pop(), Some(Queued::Lost { up_to }) if up_to == Seq::new(4)));
    assert_eq!(queue.push(&heavy(5, 9_000)), Pushed::Kept, "what was dropped weighs nothing");
    assert_eq!(pop_event(&mut queue), Some(Heard::Seq(5)));
    assert_eq!(queue.bytes(), 0);
}

#[test]
fn an_empty_queue_gives_its_memory_back() {
    let mut queue = queue_of(256);
    for seq in 1..=256 {
        queue.push(&event(seq));
    }
    while queue.pop().is_some() {}
    assert!(queue.capacity() <= 8, "room for {} events is kept", queue.capacity());
}
