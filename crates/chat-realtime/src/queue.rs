//! The events that wait for one subscription: a bounded queue that marks what it had to drop as a gap. Pure.

use std::collections::VecDeque;
use std::sync::Arc;

use chat_domain::model::{LiveEvent, Seq};
use chat_domain::ports::SharedEvent;

use crate::page::bytes_of;

/// The largest capacity that an empty queue keeps.
const EMPTY_QUEUE_CAPACITY: usize = 8;

/// An item of a queue.
#[derive(Debug)]
pub enum QueueItem {
    /// An event.
    Event(Arc<SharedEvent>),
    /// Durable events are not in the queue, the newest of them at this position; the log has them all.
    Gap {
        /// The position of the newest one.
        up_to: Seq,
    },
}

/// The outcome of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushOutcome {
    /// The event waits.
    Kept,
    /// The event was typing, and there was no room for it.
    Dropped,
    /// The queue was full; it is empty now and marks the gap.
    Overflowed,
    /// The queue had overflowed before, and the gap was extended.
    GapExtended,
}

/// How much a queue keeps. From half of either on, typing is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimits {
    /// The most events. 0 stands for 1.
    pub events: u32,
    /// The most bytes, as `bytes_of` estimates them.
    pub bytes: u32,
}

/// Events in the order they came.
///
/// A durable event that finds the queue full empties it and marks the gap. Until the gap is taken, further events only
/// extend it, so a subscription that has stopped costs nothing but the mark. Typing is dropped from half full on.
#[derive(Debug)]
pub struct EventQueue {
    events: VecDeque<Arc<SharedEvent>>,
    bytes: usize,
    gap_up_to: Option<Seq>,
    limits: QueueLimits,
}

impl EventQueue {
    /// An empty queue.
    pub fn new(limits: QueueLimits) -> Self {
        Self { events: VecDeque::new(), bytes: 0, gap_up_to: None, limits }
    }

    /// Puts an event at the end.
    pub fn push(&mut self, event: &Arc<SharedEvent>) -> PushOutcome {
        let weight = bytes_of(event);
        match event.event() {
            LiveEvent::Typing(_) if self.gap_up_to.is_some() || self.is_half_full() => PushOutcome::Dropped,
            LiveEvent::Durable(durable) if self.gap_up_to.is_some() => {
                self.mark_gap(durable.seq);
                PushOutcome::GapExtended
            }
            LiveEvent::Durable(durable) if !self.has_room_for(weight) => {
                self.mark_gap(durable.seq);
                PushOutcome::Overflowed
            }
            LiveEvent::Typing(_) | LiveEvent::Durable(_) => {
                self.bytes += weight;
                self.events.push_back(Arc::clone(event));
                PushOutcome::Kept
            }
        }
    }

    /// The same while there is no room for the event, whatever the limits say: in what several queues may hold together.
    pub fn push_without_room(&mut self, event: &SharedEvent) -> PushOutcome {
        match event.event() {
            LiveEvent::Typing(_) => PushOutcome::Dropped,
            LiveEvent::Durable(durable) => {
                let had_gap = self.gap_up_to.is_some();
                self.mark_gap(durable.seq);
                if had_gap { PushOutcome::GapExtended } else { PushOutcome::Overflowed }
            }
        }
    }

    /// Drops the events that wait and marks them, and everything up to `newest`, as a gap.
    pub fn mark_gap(&mut self, newest: Seq) {
        // Events may come out of order, so the newest dropped one need not be the last.
        let dropped = std::mem::take(&mut self.events).into_iter().filter_map(|event| match event.event() {
            LiveEvent::Durable(durable) => Some(durable.seq),
            LiveEvent::Typing(_) => None,
        });
        self.gap_up_to = dropped.chain(self.gap_up_to).chain([newest]).max();
        self.bytes = 0;
    }

    /// Takes the first item. A gap comes before the events after it.
    pub fn pop(&mut self) -> Option<QueueItem> {
        if let Some(up_to) = self.gap_up_to.take() {
            return Some(QueueItem::Gap { up_to });
        }
        let event = self.events.pop_front()?;
        self.bytes = self.bytes.saturating_sub(bytes_of(&event));
        if self.events.is_empty() && self.events.capacity() > EMPTY_QUEUE_CAPACITY {
            self.events = VecDeque::new();
        }
        Some(QueueItem::Event(event))
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
