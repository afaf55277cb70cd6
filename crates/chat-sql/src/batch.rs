//! The bookkeeping of a batch: which sessions its members have touched, what of them the rows do not have yet, and what
//! is to be told once everything is durable.

use std::collections::HashMap;
use std::mem;

use chat_domain::model::{
    AgentId, Change, ChatMessage, ChatSession, IdempotencyKey, Progress, Seq, SessionEvent, SessionId, StatisticsDelta,
    UserId,
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
    /// What its row has.
    pub saved: Saved,
    /// What its row does not have yet.
    pub unsaved: Unsaved,
    /// What its changes add to the statistics.
    pub statistics: StatisticsDelta,
}

/// What a session's row is known to have. A statement that writes the session checks it: the position alone does not tell
/// a row that another history, or somebody's hand, has brought to the same position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The position.
    pub seq: Seq,
    /// How many messages there are.
    pub message_count: u64,
    /// Who holds the session.
    pub agent: Option<AgentId>,
    /// Whether it takes messages.
    pub is_active: bool,
}

impl Saved {
    fn of(session: &ChatSession) -> Self {
        let Progress { last_seq, message_count, .. } = session.progress;
        Self { seq: last_seq, message_count, agent: session.agent().cloned(), is_active: session.is_active() }
    }
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
        let (saved, unsaved) = (Saved::of(&session), Unsaved::Nothing);
        self.held.insert(session.id, Held { session, saved, unsaved, statistics: StatisticsDelta::default() });
    }

    /// Takes over a session whose row is written by its own statement, and answers the event that opened it.
    pub fn opened(&mut self, session: &ChatSession, actor: UserId) -> &SessionEvent {
        self.counts.add(session);
        self.hold(session.clone());
        if let Some(held) = self.held.get_mut(&session.id) {
            held.statistics.opened += 1;
        }
        self.note(event(session, actor, None, Change::Opened(session.clone())))
    }

    /// Takes over a session after a change, and answers the event that tells of it. The last step of a member: whatever
    /// may refuse comes before.
    pub fn changed(
        &mut self,
        session: ChatSession,
        actor: UserId,
        change: Change,
        statistics: StatisticsDelta,
    ) -> &SessionEvent {
        let event = event(&session, actor, None, change);
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
        let author = message.author.clone();
        let event = event(&session, author, key, Change::Message(message));
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
            held.saved = Saved::of(&held.session);
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

/// The event of the change that the session has just taken.
fn event(session: &ChatSession, actor: UserId, key: Option<IdempotencyKey>, change: Change) -> SessionEvent {
    let (session_id, progress) = (session.id, &session.progress);
    SessionEvent { session_id, seq: progress.last_seq, at: progress.last_event_at, actor, key, change }
}
