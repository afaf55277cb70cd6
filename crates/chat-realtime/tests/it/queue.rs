//! The queue of one subscription.

use std::sync::Arc;

use chat_domain::model::{EventChange, LiveEvent, Seq};
use chat_domain::ports::SharedEvent;
use chat_realtime::internals::{EventQueue, PushOutcome, QueueItem, QueueLimits};
use chat_testkit::fixtures;

use crate::support::{Received, durable, typing};

fn event(seq: u64) -> Arc<SharedEvent> {
    SharedEvent::new(LiveEvent::Durable(durable(seq)))
}

fn queue_of(events: u32) -> EventQueue {
    EventQueue::new(QueueLimits { events, bytes: 256 * 1024 })
}

fn pop_event(queue: &mut EventQueue) -> Option<Received> {
    match queue.pop()? {
        QueueItem::Event(event) => Some(Received::of(&event)),
        QueueItem::Gap { up_to } => panic!("lost up to {up_to}"),
    }
}

#[test]
fn a_full_queue_is_emptied_and_marks_the_gap() {
    let mut queue = queue_of(3);
    for seq in [4, 9, 5] {
        assert_eq!(queue.push(&event(seq)), PushOutcome::Kept);
    }
    let kept = event(6);
    assert_eq!(queue.push(&kept), PushOutcome::Overflowed);
    assert!(queue.is_empty());
    assert_eq!(Arc::strong_count(&kept), 1, "an event that was dropped is not held");
    assert!(matches!(queue.pop(), Some(QueueItem::Gap { up_to }) if up_to == Seq::new(9)));
    assert!(queue.pop().is_none());
}

#[test]
fn a_gap_that_is_not_taken_is_extended() {
    let mut queue = queue_of(1);
    for seq in 1..=100 {
        queue.push(&event(seq));
    }
    assert!(queue.is_empty());
    let typing = SharedEvent::new(typing("bob", true));
    assert_eq!(queue.push(&typing), PushOutcome::Dropped, "typing does not pile up behind a loss");
    assert!(matches!(queue.pop(), Some(QueueItem::Gap { up_to }) if up_to == Seq::new(100)));
    queue.push(&event(101));
    assert_eq!(pop_event(&mut queue), Some(Received::Seq(101)));
}

#[test]
fn typing_is_dropped_from_half_full_on() {
    let mut queue = queue_of(4);
    queue.push(&event(1));
    assert_eq!(queue.push(&SharedEvent::new(typing("bob", true))), PushOutcome::Kept);
    assert_eq!(queue.push(&SharedEvent::new(typing("bob", false))), PushOutcome::Dropped);
    queue.push(&event(2));
    assert_eq!(pop_event(&mut queue), Some(Received::Seq(1)));
    assert_eq!(pop_event(&mut queue), Some(Received::Typing("bob".to_owned(), true)));
    assert_eq!(pop_event(&mut queue), Some(Received::Seq(2)));
    assert_eq!(pop_event(&mut queue), None);
}

/// A message of about that many bytes.
fn heavy(seq: u64, bytes: usize) -> Arc<SharedEvent> {
    let mut event = durable(seq);
    if let EventChange::Message(message) = &mut event.change {
        message.content = fixtures::content(&"x".repeat(bytes));
    }
    SharedEvent::new(LiveEvent::Durable(event))
}

#[test]
fn a_queue_of_few_large_events_is_full_too() {
    let mut queue = EventQueue::new(QueueLimits { events: 256, bytes: 10_000 });
    assert_eq!(queue.push(&heavy(1, 4_000)), PushOutcome::Kept);
    assert_eq!(queue.push(&SharedEvent::new(typing("bob", true))), PushOutcome::Kept);
    assert_eq!(queue.push(&heavy(2, 1_000)), PushOutcome::Kept);
    assert_eq!(queue.push(&SharedEvent::new(typing("bob", true))), PushOutcome::Dropped, "it is half full of bytes");
    assert_eq!(queue.push(&heavy(3, 4_000)), PushOutcome::Overflowed);
    assert_eq!((queue.len(), queue.bytes()), (0, 0));
    assert_eq!(queue.push(&heavy(4, 10)), PushOutcome::GapExtended);
    assert!(matches!(queue.pop(), Some(QueueItem::Gap { up_to }) if up_to == Seq::new(4)));
    assert_eq!(queue.push(&heavy(5, 9_000)), PushOutcome::Kept, "what was dropped weighs nothing");
    assert_eq!(pop_event(&mut queue), Some(Received::Seq(5)));
    assert_eq!(queue.bytes(), 0);
}

#[test]
fn an_empty_queue_frees_its_memory() {
    let mut queue = queue_of(256);
    for seq in 1..=256 {
        queue.push(&event(seq));
    }
    while queue.pop().is_some() {}
    assert!(queue.capacity() <= 8, "room for {} events is kept", queue.capacity());
}
