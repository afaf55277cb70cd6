//! Where a watcher stands in its session, and what it has to do next: the order of events, duplicates, gaps and
//! catching up. Pure: it is told what arrived and asks for what it needs.

use std::collections::BTreeMap;
use std::sync::Arc;

use chat_domain::error::ReplayUnavailable;
use chat_domain::model::{Epoch, Published, Seq};
use chat_domain::ports::{Replay, Start};

use crate::page::{Page, position};
use crate::settings::HubSettings;

/// What someone who starts there gets of what they missed, in a session whose newest change is at `head`.
pub fn replay(start: &Start, head: Seq, epoch: &Epoch, limit: u64) -> Replay {
    let Start::After { seq, epoch: theirs } = start else { return Replay::Fresh };
    if theirs.as_ref().is_some_and(|theirs| theirs != epoch) {
        return Replay::Unavailable(ReplayUnavailable::OtherEpoch);
    }
    let Some(missed) = head.get().checked_sub(seq.get()) else {
        return Replay::Unavailable(ReplayUnavailable::AheadOfSession);
    };
    if missed > limit {
        return Replay::Unavailable(ReplayUnavailable::TooManyMissed { limit });
    }
    Replay::Complete { missed }
}

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
/// `HubSettings::early_events` early ones, which weigh no more than a page.
#[derive(Debug)]
pub struct Cursor {
    /// The newest durable event that was given out.
    at: Seq,
    /// Up to here, the log is known to hold events that will not come from the queue (any more).
    goal: Seq,
    /// Events from the log, of which the first `page_given` have been given out and the next is at `at + 1`.
    page: Option<Page>,
    /// Events above `at + 1` that came before their turn.
    early: BTreeMap<Seq, Arc<Published>>,
    early_bytes: usize,
    early_events: usize,
    page_bytes: usize,
    page_given: u32,
    page_events: u32,
    /// How often the log was read in vain, one after the other.
    fruitless: u32,
    /// Whether the log had nothing above `at` when it was read last, although the goal lies further.
    log_lags: bool,
}

impl Cursor {
    /// Starts after the position `at`, in a session whose newest change was at `head` at some moment after the watcher
    /// had been registered.
    pub fn start(at: Seq, head: Seq, settings: &HubSettings) -> Self {
        Self {
            at,
            goal: head,
            page: None,
            early: BTreeMap::new(),
            early_bytes: 0,
            early_events: settings.early_events,
            page_bytes: settings.page_bytes,
            page_given: 0,
            page_events: settings.page_events.max(1),
            fruitless: 0,
            log_lags: false,
        }
    }

    /// What to do next. An event that is given out counts as given out.
    pub fn step(&mut self) -> Step {
        let from_page = self.next_of_page();
        // The event from the queue is preferred: its encoding is shared with those who were not behind.
        if let Some(event) = self.take_early().or(from_page) {
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
        let Some(seq) = position(&event) else { return Some(event) };
        if seq <= self.at {
            return None;
        }
        if seq == self.at.next() && self.page.is_none() {
            self.at = seq;
            self.fruitless = 0;
            return Some(event);
        }
        let weight = event.event().weight();
        if self.early.len() < self.early_events && self.early_bytes + weight <= self.page_bytes {
            if self.early.insert(seq, event).is_none() {
                self.early_bytes += weight;
            }
        } else {
            // Too many to keep: the log has them all.
            let newest = self.early.last_key_value().map_or(seq, |(&last, _)| last.max(seq));
            self.early.clear();
            self.early_bytes = 0;
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
    pub fn loaded(&mut self, page: Page) -> Result<(), BrokenLog> {
        let mut expected = self.at.next();
        for found in page.iter().filter_map(|event| position(event)) {
            if found != expected {
                return Err(BrokenLog { expected, found });
            }
            expected = expected.next();
        }
        self.log_lags = page.is_empty();
        self.fruitless = if self.log_lags { self.fruitless.saturating_add(1) } else { 0 };
        self.page_given = 0;
        self.page = (!page.is_empty()).then_some(page);
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
        self.page.as_ref().map_or(0, |page| page.len() - self.page_given as usize) + self.early.len()
    }

    /// How many bytes the cursor keeps, about.
    pub fn kept_bytes(&self) -> usize {
        let page = self.page.iter().flat_map(|page| page.iter()).map(|event| event.event().weight());
        page.sum::<usize>() + self.early_bytes
    }

    /// Takes the event out that came early and whose turn it is.
    fn take_early(&mut self) -> Option<Arc<Published>> {
        let event = self.early.remove(&self.at.next())?;
        self.early_bytes = self.early_bytes.saturating_sub(event.event().weight());
        Some(event)
    }

    /// Takes the next event out of the page, and gives the page back with its last one.
    fn next_of_page(&mut self) -> Option<Arc<Published>> {
        let page = self.page.as_ref()?;
        let event = page.get(self.page_given as usize).map(Arc::clone);
        self.page_given += 1;
        if self.page_given as usize >= page.len() {
            self.page = None;
        }
        event
    }
}
