//! What waits for one watcher: a bounded queue that remembers what it had to drop. Pure.

use std::collections::VecDeque;
use std::sync::Arc;

use chat_domain::model::{LiveEvent, Published, Seq};

/// An empty queue keeps room for so many events; more is given back.
const ROOM_OF_AN_EMPTY_QUEUE: usize = 8;

/// What a watcher finds in its queue.
#[derive(Debug)]
pub enum Queued {
    /// An event.
    Event(Arc<Published>),
    /// Durable events are not in the queue, the newest of them at this position; the log has them all.
    Lost {
        /// The position of the newest one.
        up_to: Seq,
    },
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It waits.
    Kept,
    /// It was typing, and there was no room for it.
    Dropped,
    /// It found the queue full, which is empty now and marks the loss.
    Overflowed,
    /// The queue had overflowed before, and only the mark moved.
    StillLost,
}

/// How much a queue keeps. From half of either on, typing is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most events. 0 stands for 1.
    pub events: u32,
    /// The most bytes, as `LiveEvent::weight` estimates them.
    pub bytes: u32,
}

/// Events in the order they came.
///
/// A durable event that finds the queue full empties it and marks the loss. Until the watcher takes the mark, further
/// events only move it, so a watcher that has stopped costs nothing but the mark. Typing is dropped from half full on.
#[derive(Debug)]
pub struct Queue {
    events: VecDeque<Arc<Published>>,
    bytes: usize,
    lost_up_to: Option<Seq>,
    limits: Limits,
}

impl Queue {
    /// An empty queue.
    pub fn new(limits: Limits) -> Self {
        Self { events: VecDeque::new(), bytes: 0, lost_up_to: None, limits }
    }

    /// Puts an event at the end.
    pub fn push(&mut self, event: &Arc<Published>) -> Pushed {
        let weight = event.event().weight();
        match event.event() {
            LiveEvent::Typing(_) if self.lost_up_to.is_some() || self.is_half_full() => Pushed::Dropped,
            LiveEvent::Durable(durable) if self.lost_up_to.is_some() => {
                self.lose(durable.seq);
                Pushed::StillLost
            }
            LiveEvent::Durable(durable) if !self.has_room_for(weight) => {
                self.lose(durable.seq);
                Pushed::Overflowed
            }
            LiveEvent::Typing(_) | LiveEvent::Durable(_) => {
                self.bytes += weight;
                self.events.push_back(Arc::clone(event));
                Pushed::Kept
            }
        }
    }

    /// Drops what waits and marks it, and everything up to `newest`, as lost.
    pub fn lose(&mut self, newest: Seq) {
        // Events may come out of order, so the newest dropped one need not be the last.
        let dropped = std::mem::take(&mut self.events).into_iter().filter_map(|event| match event.event() {
            LiveEvent::Durable(durable) => Some(durable.seq),
            LiveEvent::Typing(_) => None,
        });
        self.lost_up_to = dropped.chain(self.lost_up_to).chain([newest]).max();
        self.bytes = 0;
    }

    /// The first thing in the queue. A loss comes before the events that came after it.
    pub fn pop(&mut self) -> Option<Queued> {
        if let Some(up_to) = self.lost_up_to.take() {
            return Some(Queued::Lost { up_to });
        }
        let event = self.events.pop_front()?;
        self.bytes = self.bytes.saturating_sub(event.event().weight());
        if self.events.is_empty() && self.events.capacity() > ROOM_OF_AN_EMPTY_QUEUE {
            self.events = VecDeque::new();
        }
        Some(Queued::Event(event))
    }

    /// How many events wait.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether no event waits.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// How many bytes wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// For how many events there is memory.
    pub fn capacity(&self) -> usize {
        self.events.capacity()
    }

    fn has_room_for(&self, weight: usize) -> bool {
        self.events.len() < self.limits.events.max(1) as usize && self.bytes + weight <= self.limits.bytes as usize
    }

    fn is_half_full(&self) -> bool {
        self.events.len() >= self.limits.events.max(1) as usize / 2 || self.bytes >= self.limits.bytes as usize / 2
    }
}
