//! The position of a stream in its session, and its next step: the order of events, duplicates, gaps and catch-up.
//! Pure: it takes the events that arrived and requests what it needs.

use std::collections::BTreeMap;
use std::sync::Arc;

use chat_domain::error::ReplayUnavailable;
use chat_domain::model::{Epoch, Seq};
use chat_domain::ports::{Replay, SharedEvent, StartPosition};

use crate::page::{SharedPage, bytes_of, position};
use crate::settings::HubSettings;

/// What a subscription with this start replays, in a session whose newest event is `head`.
pub fn replay(start: &StartPosition, head: Seq, epoch: &Epoch, limit: u64) -> Replay {
    let StartPosition::After { seq, epoch: wanted } = start else { return Replay::Fresh };
    if wanted.as_ref().is_some_and(|wanted| wanted != epoch) {
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

/// What the stream has to do next.
#[derive(Debug)]
pub enum CursorStep {
    /// Return this event.
    Deliver(Arc<SharedEvent>),
    /// Read the log and call `page_loaded`.
    Read {
        /// Right after this position.
        after: Seq,
        /// At most so many events.
        limit: u32,
    },
    /// Wait for the queue, but not longer than the patience: an event is missing. Call `stop_waiting` then.
    WaitFor {
        /// The missing sequence number.
        missing: Seq,
        /// How often the log has been read for it without result. The patience grows with it.
        empty_reads: u32,
    },
    /// Wait for the queue.
    Wait,
}

/// A log that has a gap, against its contract.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the event log has seq {found} where {expected} belongs")]
pub struct SequenceGap {
    /// The sequence number that should have come.
    pub expected: Seq,
    /// The sequence number that came.
    pub found: Seq,
}

/// The position of a stream, with the events that it buffers: at most one page of the log and
/// `HubSettings::early_events` early ones, which weigh no more than a page.
#[derive(Debug)]
pub struct StreamCursor {
    /// The newest durable event that was returned.
    at: Seq,
    /// Up to here, the log is known to hold events that will not come from the queue (any more).
    target: Seq,
    /// Events from the log, of which the first `page_delivered` have been returned and the next is `at + 1`.
    page: Option<SharedPage>,
    /// Events above `at + 1` that came before their turn.
    early: BTreeMap<Seq, Arc<SharedEvent>>,
    early_bytes: usize,
    early_events: usize,
    page_bytes: usize,
    page_delivered: u32,
    page_events: u32,
    /// How often in a row the log was read without result.
    empty_reads: u32,
    /// Whether the log had nothing above `at` when it was read last, although the target lies further.
    log_lags: bool,
}

impl StreamCursor {
    /// Starts after `at`, in a session whose newest event was `head` at a moment after the subscription was registered.
    pub fn start(at: Seq, head: Seq, settings: &HubSettings) -> Self {
        Self {
            at,
            target: head,
            page: None,
            early: BTreeMap::new(),
            early_bytes: 0,
            early_events: settings.early_events,
            page_bytes: settings.page_bytes,
            page_delivered: 0,
            page_events: settings.page_events.max(1),
            empty_reads: 0,
            log_lags: false,
        }
    }

    /// The next step. An event that it delivers counts as returned.
    pub fn step(&mut self) -> CursorStep {
        let from_page = self.next_of_page();
        // The event from the queue is preferred: its encoding is shared with streams that were not behind.
        if let Some(event) = self.take_early().or(from_page) {
            self.at = self.at.next();
            return CursorStep::Deliver(event);
        }
        if self.at < self.target && !self.log_lags {
            let missing = u32::try_from(self.target.get() - self.at.get()).unwrap_or(u32::MAX);
            return CursorStep::Read { after: self.at, limit: missing.min(self.page_events) };
        }
        if self.at < self.target || !self.early.is_empty() {
            return CursorStep::WaitFor { missing: self.at.next(), empty_reads: self.empty_reads };
        }
        CursorStep::Wait
    }

    /// Takes an event from the queue and returns it if it is the next one. A durable event that was returned before is
    /// dropped, and an event that is early is buffered.
    ///
    /// To be called only after `step` returned a wait, so that no page is partly delivered.
    pub fn accept(&mut self, event: Arc<SharedEvent>) -> Option<Arc<SharedEvent>> {
        let Some(seq) = position(&event) else { return Some(event) };
        if seq <= self.at {
            return None;
        }
        if seq == self.at.next() && self.page.is_none() {
            self.at = seq;
            self.empty_reads = 0;
            return Some(event);
        }
        let weight = bytes_of(&event);
        if self.early.len() < self.early_events && self.early_bytes + weight <= self.page_bytes {
            if self.early.insert(seq, event).is_none() {
                self.early_bytes += weight;
            }
        } else {
            // Too many to buffer: the log has them all.
            let newest = self.early.last_key_value().map_or(seq, |(&last, _)| last.max(seq));
            self.early.clear();
            self.early_bytes = 0;
            self.mark_gap(newest);
        }
        None
    }

    /// Marks that events up to this one will not come from the queue.
    pub fn mark_gap(&mut self, up_to: Seq) {
        self.target = self.target.max(up_to);
        self.log_lags = false;
    }

    /// Takes the page for `CursorStep::Read`.
    ///
    /// # Errors
    /// When an event is missing in the page. Then nothing of it is taken, and the next step is to read again.
    pub fn page_loaded(&mut self, page: SharedPage) -> Result<(), SequenceGap> {
        let mut expected = self.at.next();
        for found in page.iter().filter_map(|event| position(event)) {
            if found != expected {
                return Err(SequenceGap { expected, found });
            }
            expected = expected.next();
        }
        self.log_lags = page.is_empty();
        self.empty_reads = if self.log_lags { self.empty_reads.saturating_add(1) } else { 0 };
        self.page_delivered = 0;
        self.page = (!page.is_empty()).then_some(page);
        Ok(())
    }

    /// The missing event did not come in time: it is read from the log.
    pub fn stop_waiting(&mut self) {
        let newest = self.early.last_key_value().map_or(self.target, |(&last, _)| last);
        self.mark_gap(newest);
    }

    /// The newest durable event that was returned.
    pub fn position(&self) -> Seq {
        self.at
    }

    /// Whether there is a page of the log of which not everything has been returned.
    pub fn has_page(&self) -> bool {
        self.page.is_some()
    }

    /// How many events are buffered.
    pub fn buffered(&self) -> usize {
        self.page.as_ref().map_or(0, |page| page.len() - self.page_delivered as usize) + self.early.len()
    }

    /// How many bytes are buffered, about.
    pub fn buffered_bytes(&self) -> usize {
        let page = self.page.iter().flat_map(|page| page.iter()).map(|event| bytes_of(event));
        page.sum::<usize>() + self.early_bytes
    }

    /// Takes the early event that is the next one now.
    fn take_early(&mut self) -> Option<Arc<SharedEvent>> {
        let event = self.early.remove(&self.at.next())?;
        self.early_bytes = self.early_bytes.saturating_sub(bytes_of(&event));
        Some(event)
    }

    /// Takes the next event of the page, and frees the page with its last one.
    fn next_of_page(&mut self) -> Option<Arc<SharedEvent>> {
        let page = self.page.as_ref()?;
        let event = page.get(self.page_delivered as usize).map(Arc::clone);
        self.page_delivered += 1;
        if self.page_delivered as usize >= page.len() {
            self.page = None;
        }
        event
    }
}
