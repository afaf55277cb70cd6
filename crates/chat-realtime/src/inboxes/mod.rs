//! The open inboxes of this node: what they show, kept true by the events that this node hears of and by reading.
//!
//! An event only says which session has changed. The session is then read, so that an event which is lost, doubled or
//! late does no harm: what an inbox gets is always a state that was read after the event. Many changes are one reading.
//!
//! What an event cannot say is which views the session was in before, so the hub keeps that of the active sessions in the
//! views that are open here (`active_sessions`). From time to time, and soon after events may have been missed, these
//! views are read as a whole, and what differs is looked up like any change (`inbox_reader`).

mod active_sessions;
mod inbox_mailbox;
mod inbox_reader;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use async_trait::async_trait;
use chat_domain::error::Result;
use chat_domain::inbox::{ActiveSession, InboxCounts, InboxOwner, InboxRange, InboxView, place};
use chat_domain::model::{ChatSession, Seq, SessionEvent, SessionId, UserId};
use chat_domain::ports::{InboxFeed, InboxReader, InboxStream, InboxUpdate, StreamCloseReason};

pub use active_sessions::ActiveSessions;
use active_sessions::ended_ranges;
pub use inbox_mailbox::{INBOX_PACE, InboxMailbox, PushedState};
pub use inbox_reader::run_inboxes_with;

use crate::sync::{AtomicBool, Mutex, Ordering, lock};

/// The most inboxes that a person has open on this node. One more closes the oldest.
pub const MAX_INBOXES_OF_A_PERSON: usize = 10;

/// The open inboxes of this node.
#[derive(Default)]
pub struct Inboxes {
    state: Mutex<InboxesState>,
    /// Whether any is open: read for each event, without the lock.
    any: AtomicBool,
    /// Whose turn it is to read ranges.
    loading: futures_util::lock::Mutex<()>,
}

#[derive(Default)]
struct InboxesState {
    active: ActiveSessions,
    /// In the order in which they were opened.
    open: BTreeMap<u64, OpenInbox>,
    next_id: u64,
    /// Which of them have a range.
    by_range: HashMap<InboxRange, BTreeSet<u64>>,
    /// The sessions of their ranges that ended last, with the positions that the inboxes have them at.
    ended: HashMap<InboxRange, HashMap<SessionId, Seq>>,
    /// What a person was shown of a view before the events of it were read, so that `active` may not know that it was in the
    /// view.
    shown: HashMap<SessionId, Vec<(u64, InboxView)>>,
    /// Sessions that have to be read.
    changed: HashSet<SessionId>,
    /// Sessions that are being read: what happens to them meanwhile may not be in what is read.
    reading: HashSet<SessionId>,
    /// Whether events may have been missed since all was read.
    is_suspect: bool,
    peers_unreachable: bool,
    /// Of the task that reads.
    reader: Option<Waker>,
    is_shut_down: bool,
}

impl InboxesState {
    /// Whether a session differs from what is known of it here, or may differ once what is being read is taken over. Of
    /// a session that has ended, the position is known if the session is among the newest of an open range; otherwise
    /// nothing of it was pushed.
    fn differs(&self, session: &ChatSession) -> bool {
        let is_known_elsewhere = |range: &InboxRange| {
            let known = self.ended.get(range).and_then(|positions| positions.get(&session.id));
            known.is_some_and(|seq| *seq != session.progress.last_seq)
        };
        self.reading.contains(&session.id)
            || match ActiveSession::of(session) {
                Some(active) => self.active.differs(&active),
                None => self.active.knows(session.id) || ended_ranges(session).iter().any(is_known_elsewhere),
            }
    }
}

struct OpenInbox {
    person: UserId,
    owner: InboxOwner,
    views: Vec<InboxView>,
    mailbox: Arc<InboxMailbox>,
}

impl OpenInbox {
    /// The ranges of sessions that have ended in its views.
    fn ended_ranges(&self) -> impl Iterator<Item = InboxRange> {
        self.views.iter().filter_map(|view| self.owner.ended_range(*view))
    }

    /// All ranges whose sessions may be in its views.
    fn ranges(&self) -> impl Iterator<Item = InboxRange> {
        self.owner.active_ranges().into_iter().chain(self.ended_ranges())
    }
}

impl Inboxes {
    /// None.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        lock(&self.state).open.len()
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        !self.any.load(Ordering::SeqCst)
    }

    /// Takes note of an event, of this node or of another node, after its commit.
    pub fn note(&self, event: &SessionEvent) {
        if self.is_empty() {
            return;
        }
        self.update(|state| {
            let id = event.session_id;
            let is_open = |range: &InboxRange| state.ended.contains_key(range);
            let concerns = state.reading.contains(&id) || state.active.concerns(event, is_open);
            concerns && state.changed.insert(id)
        });
    }

    /// Events may have been missed.
    pub fn mark_suspect(&self) {
        self.update(|state| !std::mem::replace(&mut state.is_suspect, true));
    }

    /// Whether the other nodes are reachable. While they are not, events of theirs are missed.
    pub fn set_peers_reachable(&self, reachable: bool) {
        self.update(|state| {
            state.is_suspect = true;
            state.peers_unreachable = !reachable;
            true
        });
    }

    /// Closes all inboxes, also those that are opened later.
    pub fn shutdown(&self) {
        let mut state = lock(&self.state);
        state.is_shut_down = true;
        let mut wakers: Vec<Waker> = state.reader.take().into_iter().collect();
        wakers.extend(state.open.values().filter_map(|inbox| inbox.mailbox.close(StreamCloseReason::NodeStopping)));
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Changes the state, and wakes the reader if there is something new for it.
    fn update(&self, change: impl FnOnce(&mut InboxesState) -> bool) {
        let mut state = lock(&self.state);
        let waker = if change(&mut state) { state.reader.take() } else { None };
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Takes over sessions that were looked up; those that were not found are gone. Pushes them to the inboxes that they
    /// are or were in.
    fn apply(&self, ids: &[SessionId], found: Vec<ChatSession>) {
        let mut found: HashMap<_, _> = found.into_iter().map(|session| (session.id, Arc::new(session))).collect();
        let mut state = lock(&self.state);
        let mut wakers = Vec::new();
        // All first, so that the counts are those after all of them.
        let mut applied = Vec::with_capacity(ids.len());
        for id in ids.iter().copied() {
            // If it is not being read any more, no inbox was open meanwhile, and nothing that happened then was noted.
            if state.reading.remove(&id) {
                let now = found.remove(&id);
                let before = state.active.apply(id, now.as_deref());
                let shown = state.shown.remove(&id).unwrap_or_default();
                applied.push(AppliedChange { id, before, now, shown });
            }
        }
        let InboxesState { open, active, by_range, ended, shown, .. } = &mut *state;
        for change in &applied {
            let ranges = change.ranges();
            let concerned: BTreeSet<u64> = ranges
                .iter()
                .filter_map(|range| by_range.get(range))
                .flatten()
                .copied()
                .chain(change.shown.iter().map(|(inbox, _)| *inbox))
                .collect();
            for (number, inbox) in concerned.into_iter().filter_map(|number| Some((number, open.get(&number)?))) {
                for pushed in change.push(number, inbox, active.counts(&inbox.owner)) {
                    match pushed {
                        (_, PushedState::Waits(waker)) => wakers.extend(waker),
                        (view, PushedState::Outdated) => shown.entry(change.id).or_default().push((number, view)),
                    }
                }
            }
            if let Some(now) = change.now.as_ref().filter(|session| !session.is_active()) {
                for range in &ranges {
                    if let Some(positions) = ended.get_mut(range) {
                        positions.insert(change.id, now.progress.last_seq);
                    }
                }
            }
        }
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Takes over what was read of all these ranges of active sessions. What differs is looked up.
    fn compare_active(&self, ranges: &[InboxRange], read: &[ActiveSession]) {
        let mut state = lock(&self.state);
        let differences = state.active.differences(ranges, read);
        state.changed.extend(differences);
    }

    /// Takes over what was read of the sessions of a range that ended last.
    fn compare_ended(&self, range: &InboxRange, read: Vec<(SessionId, Seq)>) {
        let mut state = lock(&self.state);
        let InboxesState { ended, changed, .. } = &mut *state;
        let Some(positions) = ended.get_mut(range) else { return };
        changed.extend(read.iter().filter(|(id, seq)| positions.get(id) != Some(seq)).map(|(id, _)| *id));
        *positions = read.into_iter().collect();
    }

    /// Takes note of what was shown of a view to the person of an inbox. What of it is not known as it was shown is read
    /// again.
    fn note_snapshot(&self, inbox: u64, view: InboxView, sessions: &[ChatSession]) {
        self.update(|state| {
            let Some(mailbox) = state.open.get(&inbox).map(|open| Arc::clone(&open.mailbox)) else { return false };
            let changed_before = state.changed.len();
            for session in sessions {
                if state.differs(session) {
                    let outdated = mailbox.note_shown(session.id, session.progress.last_seq);
                    let views = outdated.into_iter().chain([view]).map(|view| (inbox, view));
                    state.shown.entry(session.id).or_default().extend(views);
                    state.changed.insert(session.id);
                }
            }
            state.changed.len() > changed_before
        });
    }

    /// Reads those of the ranges of an inbox that opens that are not known yet. Of many inboxes that open at once, as after a
    /// restart of the node, one reads the queue, and the others wait for it.
    async fn load(self: &Arc<Self>, sessions: &dyn InboxReader, ranges: &[InboxRange]) -> Result<()> {
        let _turn = self.loading.lock().await;
        let unread = lock(&self.state).active.begin_load(ranges);
        if !unread.is_empty() {
            let mut load = RangeLoad { inboxes: Arc::clone(self), ranges: unread, read: None };
            load.read = Some(sessions.active(load.ranges.clone()).await?);
        }
        Ok(())
    }

    /// Reads what ended last in those ranges of an inbox that opens of which that is not known yet.
    async fn load_ended(&self, sessions: &dyn InboxReader, ranges: impl Iterator<Item = InboxRange>) -> Result<()> {
        for range in ranges {
            if !lock(&self.state).ended.contains_key(&range) {
                let read = sessions.ended(range.clone()).await?;
                // Until an inbox has the range, it is not kept true: see `InboxRegistration::open`.
                lock(&self.state).ended.entry(range).or_insert_with(|| read.into_iter().collect());
            }
        }
        Ok(())
    }
}

/// A session that was looked up.
struct AppliedChange {
    id: SessionId,
    /// As it was known, if it was active.
    before: Option<ActiveSession>,
    /// As it is, if it is there.
    now: Option<Arc<ChatSession>>,
    /// The inboxes that were shown it in a view.
    shown: Vec<(u64, InboxView)>,
}

impl AppliedChange {
    /// The ranges that it was in and those that it is in.
    fn ranges(&self) -> Vec<InboxRange> {
        let now = self.now.as_deref().map(|session| match ActiveSession::of(session) {
            Some(active) => active.ranges(),
            None => ended_ranges(session),
        });
        self.before.iter().flat_map(ActiveSession::ranges).chain(now.into_iter().flatten()).collect()
    }

    /// Pushes the session to the views of an inbox that it is or was in. If it is in none, but the counts have changed, as
    /// with a session in the queue where the inbox shows another view, they come with the word that it is not in the first.
    fn push(&self, number: u64, inbox: &OpenInbox, counts: InboxCounts) -> Vec<(InboxView, PushedState)> {
        let as_read = self.now.as_ref().map(|session| session.progress.last_seq);
        let mut pushed = Vec::new();
        for view in &inbox.views {
            let now = self.now_in(inbox, *view);
            if now.is_some() || self.was_in(number, inbox, *view) {
                pushed.push((*view, inbox.mailbox.push((*view, self.id), as_read, now, counts)));
            }
        }
        if let Some(view) = inbox.views.first().filter(|_| pushed.is_empty()) {
            let waker = inbox.mailbox.push_counts((*view, self.id), as_read, counts);
            pushed.push((*view, PushedState::Waits(waker)));
        }
        pushed
    }

    /// The session, if it is in this view of an inbox.
    fn now_in(&self, inbox: &OpenInbox, view: InboxView) -> Option<Arc<ChatSession>> {
        self.now.as_ref().filter(|now| place(&inbox.owner, view, now).is_some()).cloned()
    }

    /// Whether the client of an inbox may show it in this view.
    fn was_in(&self, number: u64, inbox: &OpenInbox, view: InboxView) -> bool {
        self.before.as_ref().is_some_and(|before| before.is_in(&inbox.owner, view))
            || self.shown.contains(&(number, view))
    }
}

/// Ranges that are being read, for an inbox that may be given up meanwhile.
struct RangeLoad {
    inboxes: Arc<Inboxes>,
    ranges: Vec<InboxRange>,
    read: Option<Vec<ActiveSession>>,
}

impl Drop for RangeLoad {
    fn drop(&mut self) {
        let read = self.read.take();
        self.inboxes.update(|state| {
            let unclear = state.active.load_ended(&self.ranges, read);
            let is_new = !unclear.is_empty();
            state.changed.extend(unclear);
            is_new
        });
    }
}

/// The registration of an inbox that is open or opens, removed when it is dropped.
struct InboxRegistration {
    inboxes: Arc<Inboxes>,
    ranges: Vec<InboxRange>,
    id: Option<u64>,
}

impl InboxRegistration {
    /// Registers the inbox and its ranges.
    fn enter(inboxes: &Arc<Inboxes>, owner: &InboxOwner) -> Self {
        let ranges = owner.active_ranges();
        let mut state = lock(&inboxes.state);
        inboxes.any.store(true, Ordering::SeqCst);
        state.active.enter(&ranges);
        drop(state);
        Self { inboxes: Arc::clone(inboxes), ranges, id: None }
    }

    /// Opens the inbox. From now on it gets what changes.
    fn open(&mut self, inbox: OpenInbox) {
        let mut state = lock(&self.inboxes.state);
        // It may have slept because there was nothing to keep true.
        let mut wakers: Vec<Waker> = state.reader.take().into_iter().collect();
        if state.is_shut_down {
            wakers.extend(inbox.mailbox.close(StreamCloseReason::NodeStopping));
        }
        let of_person: Vec<_> = state.open.values().filter(|open| open.person == inbox.person).collect();
        let excess = (of_person.len() + 1).saturating_sub(MAX_INBOXES_OF_A_PERSON);
        wakers.extend(of_person.iter().take(excess).filter_map(|open| open.mailbox.close(StreamCloseReason::Replaced)));
        let id = state.next_id;
        state.next_id += 1;
        for range in inbox.ranges() {
            state.by_range.entry(range).or_default().insert(id);
        }
        for range in inbox.ended_ranges() {
            // Another inbox with the range may have closed meanwhile.
            state.ended.entry(range).or_default();
        }
        state.open.insert(id, inbox);
        self.id = Some(id);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Drop for InboxRegistration {
    fn drop(&mut self) {
        let mut state = lock(&self.inboxes.state);
        if let Some((id, closed)) = self.id.and_then(|id| Some((id, state.open.remove(&id)?))) {
            for range in closed.ranges() {
                let inboxes = state.by_range.get_mut(&range);
                let is_last = inboxes.is_none_or(|inboxes| {
                    inboxes.remove(&id);
                    inboxes.is_empty()
                });
                if is_last {
                    state.by_range.remove(&range);
                    state.ended.remove(&range);
                }
            }
        }
        state.active.leave(&self.ranges);
        if state.active.is_empty() {
            (state.changed, state.reading) = (HashSet::new(), HashSet::new());
            (state.shown, state.ended) = (HashMap::new(), HashMap::new());
            self.inboxes.any.store(false, Ordering::SeqCst);
        }
    }
}

/// Opens live inboxes on this node.
pub struct HubInboxFeed {
    inboxes: Arc<Inboxes>,
    sessions: Arc<dyn InboxReader>,
}

impl HubInboxFeed {
    /// A feed of these inboxes, which `run_inboxes` keeps true on the same sessions.
    pub fn new(inboxes: Arc<Inboxes>, sessions: Arc<dyn InboxReader>) -> Arc<Self> {
        Arc::new(Self { inboxes, sessions })
    }
}

#[async_trait]
impl InboxFeed for HubInboxFeed {
    async fn open(&self, person: &UserId, owner: InboxOwner, views: Vec<InboxView>) -> Result<Box<dyn InboxStream>> {
        let mut registration = InboxRegistration::enter(&self.inboxes, &owner);
        self.inboxes.load(self.sessions.as_ref(), &registration.ranges).await?;
        let mailbox = Arc::new(InboxMailbox::default());
        let inbox = OpenInbox { person: person.clone(), owner, views, mailbox: Arc::clone(&mailbox) };
        self.inboxes.load_ended(self.sessions.as_ref(), inbox.ended_ranges()).await?;
        registration.open(inbox);
        Ok(Box::new(HubInboxStream { mailbox, registration }))
    }
}

struct HubInboxStream {
    mailbox: Arc<InboxMailbox>,
    registration: InboxRegistration,
}

impl InboxStream for HubInboxStream {
    fn note_snapshot(&mut self, view: InboxView, sessions: &[ChatSession]) {
        if let Some(id) = self.registration.id {
            self.registration.inboxes.note_snapshot(id, view, sessions);
        }
    }

    fn poll_next(&mut self, context: &Context<'_>, now: Instant) -> Poll<Result<InboxUpdate, StreamCloseReason>> {
        self.mailbox.poll_next(context, now)
    }

    fn poll_closed(&mut self, context: &Context<'_>) -> Poll<StreamCloseReason> {
        self.mailbox.poll_closed(context)
    }

    fn deadline(&self) -> Option<Instant> {
        self.mailbox.deadline()
    }
}
