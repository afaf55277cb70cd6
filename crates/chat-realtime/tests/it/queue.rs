//! What waits for one watcher.

use std::sync::Arc;

use chat_domain::model::{LiveEvent, Published, Seq};
use chat_realtime::internals::{Queue, Queued};

use crate::support::{Heard, durable, typing};

fn event(seq: u64) -> Arc<Published> {
    Published::new(LiveEvent::Durable(durable(seq)))
}

fn pop_event(queue: &mut Queue) -> Option<Heard> {
    match queue.pop()? {
        Queued::Event(event) => Some(Heard::of(&event)),
        Queued::Lost { up_to } => panic!("lost up to {up_to}"),
    }
}

#[test]
fn a_full_queue_is_emptied_and_remembers_the_newest_loss() {
    let mut queue = Queue::new(3);
    for seq in [4, 9, 5] {
        assert!(queue.push(&event(seq)));
    }
    let kept = event(6);
    assert!(queue.push(&kept));
    assert!(queue.is_empty());
    assert_eq!(Arc::strong_count(&kept), 1, "an event that was dropped is not held");
    assert!(matches!(queue.pop(), Some(Queued::Lost { up_to }) if up_to == Seq::new(9)));
    assert!(queue.pop().is_none());
}

#[test]
fn a_loss_that_nobody_takes_only_moves() {
    let mut queue = Queue::new(1);
    for seq in 1..=100 {
        queue.push(&event(seq));
    }
    assert!(queue.is_empty());
    assert!(!queue.push(&Published::new(typing("bob", true))), "typing does not pile up behind a loss");
    assert!(matches!(queue.pop(), Some(Queued::Lost { up_to }) if up_to == Seq::new(100)));
    queue.push(&event(101));
    assert_eq!(pop_event(&mut queue), Some(Heard::Seq(101)));
}

#[test]
fn typing_is_dropped_from_half_full_on() {
    let mut queue = Queue::new(4);
    queue.push(&event(1));
    assert!(queue.push(&Published::new(typing("bob", true))));
    assert!(!queue.push(&Published::new(typing("bob", false))));
    queue.push(&event(2));
    assert_eq!(pop_event(&mut queue), Some(Heard::Seq(1)));
    assert_eq!(pop_event(&mut queue), Some(Heard::Typing("bob".to_owned(), true)));
    assert_eq!(pop_event(&mut queue), Some(Heard::Seq(2)));
    assert_eq!(pop_event(&mut queue), None);
}
