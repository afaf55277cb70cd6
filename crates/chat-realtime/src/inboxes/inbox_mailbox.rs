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
pub const INBOX_PACE: Duration = Duration::from_millis(500);

/// The states that wait for an inbox. Of each session and view there is one at most, so that a stream that is not read
/// keeps no more than the sessions that have changed.
#[derive(Default)]
pub struct InboxMailbox(Mutex<InboxMailboxState>);

type InboxSlot = (InboxView, SessionId);

/// What has become of a state that was pushed.
#[derive(Debug)]
pub enum PushedState {
    /// It waits, unless the inbox is closed. The caller wakes the waker once it holds no lock.
    Waits(Option<Waker>),
    /// A snapshot has shown the session as it was later. The caller pushes what it reads next, even if that is not in the
    /// view.
    Outdated,
}

/// A state that waits.
struct WaitingState {
    /// The position at which the session was read; `None` if it was not there.
    as_read: Option<Seq>,
    /// `None` if the session is not in the view.
    session: Option<Arc<ChatSession>>,
}

/// Whether a session that was read at one position was later at another. What is not there has no later position.
fn is_before(as_read: Option<Seq>, shown: Seq) -> bool {
    as_read.is_some_and(|as_read| as_read < shown)
}

#[derive(Default)]
struct InboxMailboxState {
    waiting: HashMap<InboxSlot, WaitingState>,
    /// Those that may be taken, in the order in which they came.
    ready: VecDeque<InboxSlot>,
    /// Those that were taken a moment ago, and until when they are not taken again.
    paced: VecDeque<(Instant, InboxSlot)>,
    pausing: HashSet<InboxSlot>,
    /// Where a snapshot has shown sessions that are read again. States of before are not taken.
    shown: HashMap<SessionId, Seq>,
    /// Those after the last change.
    counts: Option<InboxCounts>,
    waker: StreamWaker,
    close_reason: Option<StreamCloseReason>,
}

impl InboxMailbox {
    /// Pushes the state of a session in a view, as it was read at a position, and the counts.
    pub fn push(
        &self,
        (view, id): (InboxView, SessionId),
        as_read: Option<Seq>,
        session: Option<Arc<ChatSession>>,
        counts: InboxCounts,
    ) -> PushedState {
        let mut state = lock(&self.0);
        if state.close_reason.is_some() {
            return PushedState::Waits(None);
        }
        if state.shown.get(&id).is_some_and(|shown| is_before(as_read, *shown)) {
            return PushedState::Outdated;
        }
        state.shown.remove(&id);
        state.counts = Some(counts);
        PushedState::Waits(state.push((view, id), WaitingState { as_read, session }))
    }

    /// Pushes counts that a session has changed which is in no open view: with what waits, or else with the word that the
    /// session is not in this view. Returns the waker that the caller wakes once it holds no lock.
    pub fn push_counts(
        &self,
        (view, id): (InboxView, SessionId),
        as_read: Option<Seq>,
        counts: InboxCounts,
    ) -> Option<Waker> {
        let mut state = lock(&self.0);
        if state.close_reason.is_some() || state.counts == Some(counts) {
            return None;
        }
        state.counts = Some(counts);
        if state.waiting.is_empty() { state.push((view, id), WaitingState { as_read, session: None }) } else { None }
    }

    /// A snapshot has shown a session at this position. An older state that waits, or comes from a reading that has begun
    /// before, would show what the client has seen pass; it is left out. Returns the views in which one waited. The caller
    /// reads the session again, and pushes what it reads to them and to the view of the snapshot.
    pub fn note_shown(&self, id: SessionId, seq: Seq) -> Vec<InboxView> {
        let mut state = lock(&self.0);
        let InboxMailboxState { waiting, ready, shown, .. } = &mut *state;
        let is_older = |view: &InboxView| waiting.get(&(*view, id)).is_some_and(|state| is_before(state.as_read, seq));
        let views: Vec<InboxView> = InboxView::ALL.into_iter().filter(is_older).collect();
        waiting.retain(|(view, waiting), _| *waiting != id || !views.contains(view));
        ready.retain(|(view, ready)| *ready != id || !views.contains(view));
        let latest = shown.entry(id).or_insert(seq);
        *latest = seq.max(*latest);
        views
    }

    /// Closes the inbox, unless it is closed already. Returns the waker as `push` does.
    pub fn close(&self, reason: StreamCloseReason) -> Option<Waker> {
        let mut state = lock(&self.0);
        if state.close_reason.is_some() {
            return None;
        }
        let waker = state.waker.take_for_close();
        *state = InboxMailboxState { close_reason: Some(reason), ..InboxMailboxState::default() };
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
        let session = state.waiting.remove(&slot).and_then(|waiting| waiting.session);
        state.paced.push_back((now + INBOX_PACE, slot));
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

impl InboxMailboxState {
    fn push(&mut self, slot: InboxSlot, waiting: WaitingState) -> Option<Waker> {
        let is_new = self.waiting.insert(slot, waiting).is_none();
        if is_new && !self.pausing.contains(&slot) {
            self.ready.push_back(slot);
        }
        self.waker.take_for_item()
    }

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
