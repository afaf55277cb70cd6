//! The bookkeeping of a batch: which sessions its members have touched, what of them the rows do not have yet, and what
//! is to be told once everything is durable.

use std::collections::HashMap;
use std::mem;

use chat_domain::model::{
    Change, ChatMessage, ChatSession, IdempotencyKey, Seq, SessionEvent, SessionId, StatisticsDelta, Timestamp, UserId,
};

use crate::SessionCounts;

/// What the members of one batch share. A session is read once per batch and written back once, however many messages
/// it got.
#[derive(Debug, Default)]
pub struct Batch {
    held: HashMap<SessionId, Held>,
    counts: SessionCounts,
    events: Vec<SessionEvent>,
}

/// A session as the batch has left it so far.
#[derive(Clone, Debug)]
pub struct Held {
    /// The session.
    pub session: ChatSession,
    /// The position that its row has.
    pub saved_at: Seq,
    /// What its row does not have yet.
    pub unsaved: Unsaved,
    /// What its changes add to the statistics.
    pub statistics: StatisticsDelta,
}

/// What of a session the row does not have yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unsaved {
    /// It has everything.
    Nothing,
    /// The counters have moved.
    Progress,
    /// The session has come to another state too.
    StateAndProgress,
}

impl Batch {
    /// The session as it is at this point of the batch, if the batch holds it.
    pub fn session(&self, id: SessionId) -> Option<&ChatSession> {
        self.held.get(&id).map(|held| &held.session)
    }

    /// Takes a session over as its row has it.
    pub fn hold(&mut self, session: ChatSession) {
        let saved_at = session.progress.last_seq;
        let unsaved = Unsaved::Nothing;
        self.held.insert(session.id, Held { session, saved_at, unsaved, statistics: StatisticsDelta::default() });
    }

    /// Takes over a session whose row is written by its own statement, and answers the event that opened it.
    pub fn opened(&mut self, session: &ChatSession, actor: UserId) -> &SessionEvent {
        self.counts.add(session);
        self.hold(session.clone());
        if let Some(held) = self.held.get_mut(&session.id) {
            held.statistics.opened += 1;
        }
        self.note(event(session, session.started_at, actor, None, Change::Opened(session.clone())))
    }

    /// Takes over a session after a change, and answers the event that tells of it. The last step of a member: whatever
    /// may refuse comes before.
    pub fn changed(
        &mut self,
        session: ChatSession,
        at: Timestamp,
        actor: UserId,
        change: Change,
        statistics: StatisticsDelta,
    ) -> &SessionEvent {
        let event = event(&session, at, actor, None, change);
        self.replace(session, &statistics);
        self.note(event)
    }

    /// Takes over a message with the key that its author gave it, and its session after it; otherwise as [`changed`].
    ///
    /// [`changed`]: Self::changed
    pub fn appended(
        &mut self,
        session: ChatSession,
        message: ChatMessage,
        key: Option<IdempotencyKey>,
        statistics: StatisticsDelta,
    ) -> &SessionEvent {
        let (at, author) = (message.sent_at, message.author.clone());
        let event = event(&session, at, author, key, Change::Message(message));
        self.replace(session, &statistics);
        self.note(event)
    }

    /// Takes over a session of which only a mark has moved that says where to look: there is nothing to tell.
    pub fn marked(&mut self, session: ChatSession) {
        self.replace(session, &StatisticsDelta::default());
    }

    fn replace(&mut self, session: ChatSession, statistics: &StatisticsDelta) {
        let Some(held) = self.held.get_mut(&session.id) else {
            // Only what is held can have been decided about.
            debug_assert!(false, "a session that the batch does not hold was changed");
            self.hold(session);
            return;
        };
        held.unsaved = held.unsaved.max(Unsaved::Progress);
        if held.session.state != session.state {
            self.counts.remove(&held.session);
            self.counts.add(&session);
            held.unsaved = Unsaved::StateAndProgress;
        }
        held.session = session;
        held.statistics.add(statistics);
    }

    fn note(&mut self, event: SessionEvent) -> &SessionEvent {
        self.events.push_mut(event)
    }

    /// The sessions that the batch holds, in no order.
    pub fn held(&self) -> impl Iterator<Item = &Held> {
        self.held.values()
    }

    /// Notes that the rows now have all that is held, and the counters what was added to them.
    pub fn saved(&mut self) {
        self.counts.clear();
        for held in self.held.values_mut() {
            held.saved_at = held.session.progress.last_seq;
            held.unsaved = Unsaved::Nothing;
            held.statistics = StatisticsDelta::default();
        }
    }

    /// What the batch adds to the numbers of sessions.
    pub fn counts(&self) -> &SessionCounts {
        &self.counts
    }

    /// What the batch adds to the statistics and the rows do not have yet.
    pub fn statistics(&self) -> StatisticsDelta {
        let mut sum = StatisticsDelta::default();
        self.held.values().for_each(|held| sum.add(&held.statistics));
        sum
    }

    /// What has happened so far, in order.
    pub fn events(&self) -> &[SessionEvent] {
        &self.events
    }

    /// Ends the batch and answers what happened, in order, with the sessions as it leaves them.
    pub fn finish(&mut self) -> (Vec<SessionEvent>, HashMap<SessionId, Held>) {
        self.counts.clear();
        (mem::take(&mut self.events), mem::take(&mut self.held))
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.held.clear();
        self.counts.clear();
        self.events.clear();
    }
}

fn event(
    session: &ChatSession,
    at: Timestamp,
    actor: UserId,
    key: Option<IdempotencyKey>,
    change: Change,
) -> SessionEvent {
    SessionEvent { session_id: session.id, seq: session.progress.last_seq, at, actor, key, change }
}
