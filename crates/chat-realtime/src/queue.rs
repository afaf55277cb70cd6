//! What waits for one watcher: a bounded queue that remembers what it had to drop. Pure.

use std::collections::VecDeque;
use std::sync::Arc;

use chat_domain::model::{LiveEvent, Published, Seq};

/// What a watcher finds in its queue.
#[derive(Debug)]
pub enum Queued {
    /// An event.
    Event(Arc<Published>),
    /// Durable events were dropped, the newest of them at this position; the log has them all.
    Lost {
        /// The position of the newest one.
        up_to: Seq,
    },
}

/// Events in the order they came.
///
/// A durable event that finds the queue full empties it and marks the loss. Until the watcher takes the mark, further
/// events only move it, so a watcher that has stopped costs nothing but the mark. Typing is dropped from half full on.
#[derive(Debug)]
pub struct Queue {
    events: VecDeque<Arc<Published>>,
    lost_up_to: Option<Seq>,
    capacity: usize,
}

impl Queue {
    /// An empty queue for at most `capacity` events, at least 1.
    pub fn new(capacity: usize) -> Self {
        Self { events: VecDeque::new(), lost_up_to: None, capacity: capacity.max(1) }
    }

    /// Puts an event at the end. Answers whether there is now something new to find.
    pub fn push(&mut self, event: &Arc<Published>) -> bool {
        match event.event() {
            LiveEvent::Typing(_) => {
                let room = self.lost_up_to.is_none() && self.events.len() < self.capacity / 2;
                if room {
                    self.events.push_back(Arc::clone(event));
                }
                room
            }
            LiveEvent::Durable(durable) => {
                if self.lost_up_to.is_none() && self.events.len() < self.capacity {
                    self.events.push_back(Arc::clone(event));
                } else {
                    self.lose(durable.seq);
                }
                true
            }
        }
    }

    /// The first thing in the queue. A loss comes before the events that came after it.
    pub fn pop(&mut self) -> Option<Queued> {
        if let Some(up_to) = self.lost_up_to.take() {
            return Some(Queued::Lost { up_to });
        }
        self.events.pop_front().map(Queued::Event)
    }

    /// How many events wait.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether no event waits.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    fn lose(&mut self, newest: Seq) {
        // Events may come out of order, so the newest dropped one need not be the last.
        let dropped = std::mem::take(&mut self.events).into_iter().filter_map(|event| match event.event() {
            LiveEvent::Durable(durable) => Some(durable.seq),
            LiveEvent::Typing(_) => None,
        });
        self.lost_up_to = dropped.chain(self.lost_up_to).chain([newest]).max();
    }
}
