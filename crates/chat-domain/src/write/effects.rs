//! What a batch of decided writes changes.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::model::{
    AttachmentId, ChatMessage, ChatSession, EventChange, Fingerprint, Idempotency, IdempotencyKey, KnownPerson,
    ReceiptStatus, Seq, SessionEvent, SessionId, StatisticsDelta, Timestamp, UserId,
};

/// Everything that a store persists for a batch, in one transaction. It comes out of
/// [`WriteBatch::decide`](super::WriteBatch::decide) and from nowhere else.
#[derive(Debug, Default)]
pub struct Effects {
    pub(super) sessions: BTreeMap<SessionId, SessionEffect>,
    pub(super) events: Vec<SessionEvent>,
    /// Of messages that were sent with a key, with the index of their event, in ascending order.
    pub(super) fingerprints: Vec<(usize, Fingerprint)>,
    pub(super) receipts: Vec<ReceiptEffect>,
    pub(super) unmarked_files: Vec<AttachmentId>,
    pub(super) sent_uploads: Vec<AttachmentId>,
    pub(super) people: BTreeMap<UserId, Arc<KnownPerson>>,
}

/// A session that the batch opens or changes.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionEffect {
    /// As it was when it was loaded; `None` when the batch opens it.
    pub before: Option<Arc<ChatSession>>,
    /// As the batch leaves it.
    pub after: Arc<ChatSession>,
    /// Who opened it and under which key, when the batch does.
    pub creation: Option<Box<Creation>>,
    /// What its changes add to the statistics.
    pub statistics: StatisticsDelta,
}

/// How a session was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Creation {
    /// The person who opened it.
    pub creator: UserId,
    /// The key of the request and what it meant.
    pub idempotency: Option<Idempotency>,
}

/// Messages of a session that have come one stage further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptEffect {
    /// The session.
    pub session_id: SessionId,
    /// How far they have come. What was read was delivered, at the same time if it was not before.
    pub status: ReceiptStatus,
    /// Their positions, in ascending order. Some may be those of messages that the batch appends.
    pub seqs: Vec<Seq>,
    /// When.
    pub at: Timestamp,
}

impl SessionEffect {
    /// Whether the session has come to another state, and not only its counters.
    pub fn changes_state(&self) -> bool {
        self.before.as_ref().is_some_and(|before| before.state != self.after.state)
    }

    /// Whether its place in the queue has changed: few messages do that.
    pub fn changes_queue_place(&self) -> bool {
        self.before.as_ref().is_some_and(|before| before.queue_place() != self.after.queue_place())
    }

    /// Whether it has come to be about something else. A batch may change that and change it back; then the session still
    /// has to know what it was opened with.
    pub fn changes_details(&self) -> bool {
        // Compared in place, since this is asked of each session of each batch.
        let after = &self.after;
        self.before.as_ref().is_some_and(|before| {
            before.opened_with != after.opened_with
                || before.subject != after.subject
                || before.priority != after.priority
                || before.tags != after.tags
        })
    }
}

impl Effects {
    /// The sessions that the batch opens or changes, in the order of their ids.
    pub fn sessions(&self) -> impl Iterator<Item = &SessionEffect> {
        self.sessions.values()
    }

    /// The sessions that were there before the batch, in the order of their ids.
    pub fn changed_sessions(&self) -> impl Iterator<Item = (&ChatSession, &SessionEffect)> {
        self.sessions.values().filter_map(|effect| Some((effect.before.as_deref()?, effect)))
    }

    /// The sessions that the batch opens, in the order of their ids.
    pub fn opened_sessions(&self) -> impl Iterator<Item = (&ChatSession, &Creation)> {
        self.sessions.values().filter_map(|effect| Some((effect.after.as_ref(), effect.creation.as_deref()?)))
    }

    /// The durable changes, in order; those of one session have its next positions without a gap. A message is its own
    /// event: see [`Self::messages`].
    pub fn events(&self) -> &[SessionEvent] {
        &self.events
    }

    /// The messages that the batch appends, in order, each with its key and fingerprint if it has them.
    pub fn messages(&self) -> impl Iterator<Item = (&ChatMessage, Option<(&IdempotencyKey, &Fingerprint)>)> {
        let mut fingerprints = self.fingerprints.iter().peekable();
        self.events.iter().enumerate().filter_map(move |(index, event)| match &event.change {
            EventChange::Message(message) => {
                let fingerprint = fingerprints.next_if(|(of, _)| *of == index);
                Some((message, event.key.as_ref().zip(fingerprint.map(|(_, fingerprint)| fingerprint))))
            }
            _ => None,
        })
    }

    /// The messages that have come further, in order. To be persisted after [`Self::messages`].
    pub fn receipts(&self) -> &[ReceiptEffect] {
        &self.receipts
    }

    /// The files of the batch's messages that are marked as orphans and no longer are.
    pub fn unmarked_files(&self) -> &[AttachmentId] {
        &self.unmarked_files
    }

    /// The uploads that the batch's messages are sent with, each once. A store takes them out of the registry, and commits
    /// nothing when one of them is no longer there.
    pub fn sent_uploads(&self) -> &[AttachmentId] {
        &self.sent_uploads
    }

    /// The people of whom tokens say what was not known, as they are known once the batch is committed; in the order of
    /// their ids, in which every store writes them, so that two batches do not deadlock. A store keeps their claims, unless
    /// it has those of a token that was issued later. A batch that was decided without locks MUST NOT be persisted when
    /// there are any.
    pub fn people(&self) -> impl ExactSizeIterator<Item = &Arc<KnownPerson>> {
        self.people.values()
    }

    /// What the batch adds to the statistics.
    pub fn statistics(&self) -> StatisticsDelta {
        let mut sum = StatisticsDelta::default();
        self.sessions.values().for_each(|effect| sum.add(&effect.statistics));
        sum
    }

    /// The events to publish when these sessions were skipped, and the other sessions as the batch leaves them.
    pub fn into_published(
        self,
        skipped: &HashSet<SessionId>,
    ) -> (Vec<SessionEvent>, impl Iterator<Item = Arc<ChatSession>>) {
        let Self { sessions, mut events, .. } = self;
        if !skipped.is_empty() {
            events.retain(|event| !skipped.contains(&event.session_id));
        }
        (events, sessions.into_values().map(|effect| effect.after))
    }
}
