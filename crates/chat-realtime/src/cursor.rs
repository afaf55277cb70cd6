//! Where a watcher stands in its session, and what it has to do next: the order of events, duplicates, gaps and
//! catching up. Pure: it is told what arrived and asks for what it needs.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use chat_domain::error::ReplayUnavailable;
use chat_domain::model::{LiveEvent, Published, Seq, SessionEvent};
use chat_domain::ports::Start;

use crate::HubSettings;

/// What the watcher has to do next.
#[derive(Debug)]
pub enum Step {
    /// Give out this event.
    Give(Arc<Published>),
    /// Read the log and call `loaded`.
    Read {
        /// Right after this position.
        after: Seq,
        /// At most so many events.
        limit: u32,
    },
    /// Wait for the queue, but not longer than the patience: a position is missing. Call `patience_over` then.
    WaitFor {
        /// The missing position.
        missing: Seq,
        /// How often the log has been read for it in vain. The patience grows with it.
        fruitless: u32,
    },
    /// Wait for the queue.
    Wait,
}

/// A log that does not keep its promise to be without gap.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the event log has position {found} where {expected} belongs")]
pub struct BrokenLog {
    /// The position that should have come.
    pub expected: Seq,
    /// The position that came.
    pub found: Seq,
}

/// The position of a watcher, with everything it keeps for later: at most one page of the log and
/// `HubSettings::early_events` early ones.
#[derive(Debug)]
pub struct Cursor {
    /// The newest durable event that was given out.
    at: Seq,
    /// Up to here, the log is known to hold events that will not come from the queue (any more).
    goal: Seq,
    /// Whether the log had nothing above `at` when it was read last, although the goal lies further.
    log_lags: bool,
    /// How often that was so in a row.
    fruitless: u32,
    /// Events from the log, the first of them at `at + 1`.
    page: VecDeque<(Seq, Arc<Published>)>,
    /// Events above `at + 1` that came before their turn.
    early: BTreeMap<Seq, Arc<Published>>,
    page_events: u32,
    early_events: usize,
}

impl Cursor {
    /// Starts in a session whose newest change was at `head` at some moment after the watcher had been registered.
    ///
    /// # Errors
    /// When the start is ahead of the head, or further behind it than `HubSettings::replay_limit`.
    pub fn start(start: Start, head: Seq, settings: &HubSettings) -> Result<Self, ReplayUnavailable> {
        let at = match start {
            Start::Now => head,
            Start::After(seq) if seq > head => return Err(ReplayUnavailable::AheadOfSession),
            Start::After(seq) if head.get() - seq.get() > settings.replay_limit => {
                return Err(ReplayUnavailable::TooManyMissed { limit: settings.replay_limit });
            }
            Start::After(seq) => seq,
        };
        Ok(Self {
            at,
            goal: head,
            log_lags: false,
            fruitless: 0,
            page: VecDeque::new(),
            early: BTreeMap::new(),
            page_events: settings.page_events.max(1),
            early_events: settings.early_events,
        })
    }

    /// What to do next. An event that is given out counts as given out.
    pub fn step(&mut self) -> Step {
        if let Some((seq, event)) = self.page.pop_front() {
            self.at = seq;
            return Step::Give(event);
        }
        if let Some(event) = self.early.remove(&self.at.next()) {
            self.at = self.at.next();
            return Step::Give(event);
        }
        if self.at < self.goal && !self.log_lags {
            let missing = u32::try_from(self.goal.get() - self.at.get()).unwrap_or(u32::MAX);
            return Step::Read { after: self.at, limit: missing.min(self.page_events) };
        }
        if self.at < self.goal || !self.early.is_empty() {
            return Step::WaitFor { missing: self.at.next(), fruitless: self.fruitless };
        }
        Step::Wait
    }

    /// Takes an event from the queue and answers with it when it can be given out at once. A durable one that was
    /// given out before is dropped, one that is early is kept for its turn.
    ///
    /// To be called only after `step` said to wait, so that no page is half given out.
    pub fn offer(&mut self, event: Arc<Published>) -> Option<Arc<Published>> {
        let LiveEvent::Durable(durable) = event.event() else { return Some(event) };
        let seq = durable.seq;
        if seq <= self.at {
            return None;
        }
        if seq == self.at.next() && self.page.is_empty() {
            self.at = seq;
            self.fruitless = 0;
            return Some(event);
        }
        if self.early.len() < self.early_events {
            self.early.insert(seq, event);
        } else {
            // Too many to keep: the log has them all.
            let newest = self.early.last_key_value().map_or(seq, |(&last, _)| last.max(seq));
            self.early.clear();
            self.lost(newest);
        }
        None
    }

    /// Notes that events up to this position will not come from the queue.
    pub fn lost(&mut self, up_to: Seq) {
        self.goal = self.goal.max(up_to);
        self.log_lags = false;
    }

    /// Takes what the log answered to `Step::Read`.
    ///
    /// # Errors
    /// When a position is missing in the answer. Then nothing of it is taken, and the next step is to read again.
    pub fn loaded(&mut self, events: Vec<SessionEvent>) -> Result<(), BrokenLog> {
        let mut expected = self.at.next();
        for event in &events {
            if event.seq != expected {
                return Err(BrokenLog { expected, found: event.seq });
            }
            expected = expected.next();
        }
        self.log_lags = events.is_empty();
        self.fruitless = if self.log_lags { self.fruitless.saturating_add(1) } else { 0 };
        for event in events {
            let seq = event.seq;
            // The event from the queue is preferred: its encoding is shared with the other watchers.
            let published = self.early.remove(&seq).unwrap_or_else(|| Published::new(LiveEvent::Durable(event)));
            self.page.push_back((seq, published));
        }
        Ok(())
    }

    /// The missing event did not come in time: from now on it is taken from the log.
    pub fn patience_over(&mut self) {
        let newest = self.early.last_key_value().map_or(self.goal, |(&last, _)| last);
        self.lost(newest);
    }

    /// The newest durable event that was given out.
    pub fn position(&self) -> Seq {
        self.at
    }

    /// How many events the cursor keeps.
    pub fn kept(&self) -> usize {
        self.page.len() + self.early.len()
    }
}
