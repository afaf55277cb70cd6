//! The updates of one open inbox between its two sides: the hub pushes states, the stream takes them.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use chat_domain::inbox::{InboxCounts, InboxView};
use chat_domain::model::{ChatSession, Seq, SessionId};
use chat_domain::ports::{InboxUpdate, StreamCloseReason};

use crate::stream_waker::StreamWaker;
use crate::sync::{Mutex, lock};

/// How long a session of a view waits after an update until its next one.
pub const PACE: Duration = Duration::from_millis(500);

/// The states that wait for an inbox. Of each session and view there is one at most, so that a stream that is not read
/// keeps no more than the sessions that have changed.
#[derive(Default)]
pub struct InboxMailbox(Mutex<MailboxState>);

type InboxSlot = (InboxView, SessionId);

#[derive(Default)]
struct MailboxState {
    /// What waits; `None` for a session that has left the view.
    waiting: HashMap<InboxSlot, Option<Arc<ChatSession>>>,
    /// Those that may be taken, in the order in which they came.
    ready: VecDeque<InboxSlot>,
    /// Those that were taken a moment ago, and until when they are not taken again.
    paced: VecDeque<(Instant, InboxSlot)>,
    pausing: HashSet<InboxSlot>,
    /// What a snapshot has shown of sessions that are read again. States of before are not taken.
    shown: HashMap<InboxSlot, Seq>,
    /// Those of the last state that was pushed.
    counts: Option<InboxCounts>,
    waker: StreamWaker,
    close_reason: Option<StreamCloseReason>,
}

impl InboxMailbox {
    /// Pushes the state of a session in a view, and the counts. Returns the waker that the caller wakes once it holds no
    /// lock.
    pub fn push(
        &self,
        view: InboxView,
        id: SessionId,
        session: Option<Arc<ChatSession>>,
        counts: InboxCounts,
    ) -> Option<Waker> {
        let mut state = lock(&self.0);
        if state.close_reason.is_some() {
            return None;
        }
        let slot = (view, id);
        if let Some(shown) = state.shown.get(&slot) {
            if session.as_ref().is_some_and(|session| session.progress.last_seq < *shown) {
                return None;
            }
            state.shown.remove(&slot);
        }
        let is_new = state.waiting.insert(slot, session).is_none();
        if is_new && !state.pausing.contains(&slot) {
            state.ready.push_back(slot);
        }
        state.counts = Some(counts);
        state.waker.take_for_item()
    }

    /// Whether the client will know counts without another push.
    pub fn has_counts(&self, counts: &InboxCounts) -> bool {
        lock(&self.0).counts.as_ref() == Some(counts)
    }

    /// A snapshot has shown a session at this position. An older state that waits, or comes from a reading that has begun
    /// before, would show what the client has seen pass; it is left out. The caller reads the session again and pushes it.
    pub fn note_shown(&self, view: InboxView, id: SessionId, seq: Seq) {
        let mut state = lock(&self.0);
        let slot = (view, id);
        let is_older = |session: &Arc<ChatSession>| session.progress.last_seq < seq;
        if state.waiting.get(&slot).is_some_and(|session| session.as_ref().is_some_and(is_older)) {
            state.waiting.remove(&slot);
            state.ready.retain(|ready| *ready != slot);
        }
        state.shown.insert(slot, seq);
    }

    /// Closes the inbox, unless it is closed already. Returns the waker as `push` does.
    pub fn close(&self, reason: StreamCloseReason) -> Option<Waker> {
        let mut state = lock(&self.0);
        if state.close_reason.is_some() {
            return None;
        }
        let waker = state.waker.take_for_close();
        *state = MailboxState { close_reason: Some(reason), ..MailboxState::default() };
        waker
    }

    /// As `InboxStream::poll_next`.
    pub fn poll_next(&self, context: &Context<'_>, now: Instant) -> Poll<Result<InboxUpdate, StreamCloseReason>> {
        let mut state = lock(&self.0);
        if let Some(reason) = state.close_reason {
            return Poll::Ready(Err(reason));
        }
        state.end_pauses(now);
        let Some(slot) = state.ready.pop_front() else {
            state.waker.wait_for_item(context);
            return Poll::Pending;
        };
        let session = state.waiting.remove(&slot).flatten();
        state.paced.push_back((now + PACE, slot));
        state.pausing.insert(slot);
        let (view, session_id) = slot;
        Poll::Ready(Ok(InboxUpdate { view, session_id, session, counts: state.counts.unwrap_or_default() }))
    }

    /// As `InboxStream::poll_closed`.
    pub fn poll_closed(&self, context: &Context<'_>) -> Poll<StreamCloseReason> {
        let mut state = lock(&self.0);
        if let Some(reason) = state.close_reason {
            return Poll::Ready(reason);
        }
        state.waker.wait_for_close(context);
        Poll::Pending
    }

    /// When a state that waits may be taken, if none may be taken now.
    pub fn deadline(&self) -> Option<Instant> {
        let state = lock(&self.0);
        let until = state.paced.iter().find(|(_, slot)| state.waiting.contains_key(slot)).map(|(until, _)| *until);
        until.filter(|_| state.ready.is_empty())
    }
}

impl MailboxState {
    fn end_pauses(&mut self, now: Instant) {
        while let Some((_, slot)) = self.paced.pop_front_if(|(until, _)| *until <= now) {
            self.pausing.remove(&slot);
            if self.waiting.contains_key(&slot) {
                self.ready.push_back(slot);
            }
        }
        if self.paced.is_empty() && self.paced.capacity() > 16 {
            self.paced = VecDeque::new();
            self.pausing = HashSet::new();
        }
    }
}
