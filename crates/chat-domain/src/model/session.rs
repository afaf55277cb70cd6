//! The chat session and its state machine.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{
    AgentId, DetailsUpdate, LastMessage, LatestActivity, Party, Priority, Seq, SessionDetails, SessionId, Subject,
    Tags, Timestamp, UserId,
};

/// Where a session is in its life. Closed is terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// Open for messages.
    Active {
        /// Who answers; `None` while the session waits in the queue.
        agent: Option<AgentId>,
    },
    /// Over: it can be read but takes no more messages.
    Closed {
        /// Who answered when it ended.
        agent: Option<AgentId>,
        /// When it ended.
        at: Timestamp,
    },
}

impl SessionState {
    fn name(&self) -> &'static str {
        match self {
            Self::Active { agent: None } => "active and unassigned",
            Self::Active { agent: Some(_) } => "active and assigned",
            Self::Closed { .. } => "closed",
        }
    }
}

/// The bookkeeping that moves with every change of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The position of the newest durable change; also the version of the session.
    pub last_seq: Seq,
    /// When that change was made.
    pub last_event_at: Timestamp,
    /// How many messages it has.
    pub message_count: u64,
    /// When the first customer message was sent that has no answer yet.
    pub waiting_since: Option<Timestamp>,
    /// Support's messages that the user has not read.
    pub unread_by_user: u64,
    /// The user's messages that support has not read.
    pub unread_by_support: u64,
    /// Up to here, support's messages have reached the user.
    pub user_delivered_seq: Seq,
    /// Up to here, the user's messages have reached support.
    pub support_delivered_seq: Seq,
    /// Up to here, the user has read all of support's messages. There may be read ones above.
    pub user_read_seq: Seq,
    /// Up to here, support has read all of the user's messages. There may be read ones above.
    pub support_read_seq: Seq,
}

/// A support conversation between one customer and the support desk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatSession {
    /// Its name.
    pub id: SessionId,
    /// The customer it belongs to.
    pub owner: UserId,
    /// What it is about.
    pub subject: Option<Subject>,
    /// How urgent it is.
    pub priority: Priority,
    /// Its labels.
    pub tags: Tags,
    /// When it was opened.
    pub started_at: Timestamp,
    /// Where it is in its life.
    pub state: SessionState,
    /// What it was about when it was opened, if that has changed since.
    pub opened_with: Option<Box<OpeningDetails>>,
    /// Its counters.
    pub progress: Progress,
    /// What happened last in it.
    pub latest: LatestActivity,
}

/// What a session was about from its opening to the first change of that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpeningDetails {
    /// What it was about.
    pub details: SessionDetails,
    /// The position of the first change.
    pub until: Seq,
}

/// What it takes to open a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// Its name.
    pub id: SessionId,
    /// The customer it belongs to.
    pub owner: UserId,
    /// What it is about.
    pub subject: Option<Subject>,
    /// How urgent it is.
    pub priority: Priority,
    /// Its labels.
    pub tags: Tags,
    /// When it is opened.
    pub started_at: Timestamp,
}

/// What was attempted on a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptedTransition {
    /// Give an unassigned session to an agent.
    Assign,
    /// Hand a session over, or back to the queue.
    Transfer,
    /// Change what a session is about.
    Update,
    /// End the session.
    Close,
    /// Add a message.
    Send,
}

impl fmt::Display for AttemptedTransition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Assign => "assign",
            Self::Transfer => "transfer",
            Self::Update => "update",
            Self::Close => "close",
            Self::Send => "send a message in",
        })
    }
}

/// A transition that the session's state does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot {attempted} a session that is {}", .from.name())]
pub struct TransitionError {
    /// What was attempted.
    pub attempted: AttemptedTransition,
    /// The state the session was in, and still is.
    pub from: SessionState,
}

impl ChatSession {
    /// Opens a session. That is its first durable change, `seq` 1.
    pub fn open(new: NewSession) -> Self {
        Self {
            id: new.id,
            owner: new.owner,
            subject: new.subject,
            priority: new.priority,
            tags: new.tags,
            started_at: new.started_at,
            state: SessionState::Active { agent: None },
            opened_with: None,
            progress: Progress { last_seq: Seq::ZERO.next(), last_event_at: new.started_at, ..Progress::default() },
            latest: LatestActivity { activity_at: new.started_at, message: None },
        }
    }

    /// The session as it was right after it was opened: what a repeated request to open it is answered with.
    #[must_use]
    pub fn as_opened(&self) -> Self {
        let details = self.opened_with.as_ref().map_or_else(|| self.details(), |opening| opening.details.clone());
        let SessionDetails { subject, priority, tags } = details;
        let (id, owner, started_at) = (self.id, self.owner.clone(), self.started_at);
        Self::open(NewSession { id, owner, subject, priority, tags, started_at })
    }

    /// Who answers, or answered when it ended.
    pub fn agent(&self) -> Option<&AgentId> {
        match &self.state {
            SessionState::Active { agent } | SessionState::Closed { agent, .. } => agent.as_ref(),
        }
    }

    /// The people whom it names: the owner, and who answers.
    pub fn people(&self) -> impl Iterator<Item = UserId> {
        let agent = self.agent().map(UserId::from);
        std::iter::once(self.owner.clone()).chain(agent)
    }

    /// The people whom an inbox names with it: those, and the author of the newest message.
    pub fn people_of_item(&self) -> impl Iterator<Item = UserId> {
        let author = self.latest.message.as_ref().map(|message| message.author.clone());
        self.people().chain(author)
    }

    /// When it ended.
    pub fn ended_at(&self) -> Option<Timestamp> {
        match self.state {
            SessionState::Active { .. } => None,
            SessionState::Closed { at, .. } => Some(at),
        }
    }

    /// Whether it takes messages.
    pub fn is_active(&self) -> bool {
        matches!(self.state, SessionState::Active { .. })
    }

    /// The side a person is on: the owner's, or support's.
    pub fn party_of(&self, person: &UserId) -> Party {
        if *person == self.owner { Party::User } else { Party::Support }
    }

    /// The side a person speaks for as owner or assigned agent; `None` for an onlooker.
    pub fn participant(&self, person: &UserId) -> Option<Party> {
        if *person == self.owner {
            Some(Party::User)
        } else if self.agent().is_some_and(|agent| *agent == *person) {
            Some(Party::Support)
        } else {
            None
        }
    }

    /// The time of a change that is decided at `now`: `now`, or that of the change before it when the clock of the node
    /// that decides is behind. So no time of a session is before that of an earlier change, whatever the clocks say.
    pub fn time_of_change(&self, now: Timestamp) -> Timestamp {
        now.max(self.progress.last_event_at)
    }

    /// Gives an active, unassigned session to `agent`.
    pub fn assign(self, agent: AgentId, now: Timestamp) -> Result<Self, TransitionError> {
        match self.state {
            SessionState::Active { agent: None } => Ok(self.given_to(Some(agent), now)),
            from => Err(TransitionError { attempted: AttemptedTransition::Assign, from }),
        }
    }

    /// Hands an active session to another agent, or back to the queue (`None`).
    /// A session that is already there stays as it is and takes no position.
    pub fn transfer(self, to: Option<AgentId>, now: Timestamp) -> Result<Self, TransitionError> {
        match self.state {
            SessionState::Active { ref agent } if *agent == to => Ok(self),
            SessionState::Active { .. } => Ok(self.given_to(to, now)),
            from @ SessionState::Closed { .. } => {
                Err(TransitionError { attempted: AttemptedTransition::Transfer, from })
            }
        }
    }

    /// What it is about.
    pub fn details(&self) -> SessionDetails {
        SessionDetails { subject: self.subject.clone(), priority: self.priority, tags: self.tags.clone() }
    }

    /// Changes what an active session is about. A session that is about that already stays as it is and takes no position.
    pub fn update(mut self, update: &DetailsUpdate, now: Timestamp) -> Result<Self, TransitionError> {
        if !self.is_active() {
            return Err(TransitionError { attempted: AttemptedTransition::Update, from: self.state });
        }
        let before = self.details();
        let after = update.apply_to(before.clone());
        if after != before {
            self.advance(now);
            let until = self.progress.last_seq;
            self.opened_with.get_or_insert_with(|| Box::new(OpeningDetails { details: before, until }));
            SessionDetails { subject: self.subject, priority: self.priority, tags: self.tags } = after;
        }
        Ok(self)
    }

    /// Ends an active session.
    pub fn close(self, now: Timestamp) -> Result<Self, TransitionError> {
        match self.state {
            SessionState::Active { ref agent } => {
                let (agent, at) = (agent.clone(), self.time_of_change(now));
                Ok(self.moved_to(SessionState::Closed { agent, at }, at))
            }
            from @ SessionState::Closed { .. } => Err(TransitionError { attempted: AttemptedTransition::Close, from }),
        }
    }

    /// Counts a message from `sender`, which takes the next position. Answers how long the customer had waited
    /// when the message answers one or more customer messages, measured from the first of them.
    pub fn record_message(
        mut self,
        sender: Party,
        now: Timestamp,
    ) -> Result<(Self, Option<Duration>), TransitionError> {
        if !self.is_active() {
            return Err(TransitionError { attempted: AttemptedTransition::Send, from: self.state });
        }
        let at = self.advance(now);
        self.latest.activity_at = at;
        let progress = &mut self.progress;
        progress.message_count += 1;
        let response = match sender {
            Party::User => {
                progress.unread_by_support += 1;
                progress.waiting_since.get_or_insert(at);
                None
            }
            Party::Support => {
                progress.unread_by_user += 1;
                progress.waiting_since.take().map(|first| at.since(first))
            }
        };
        Ok((self, response))
    }

    /// Shows this message, which was just recorded or is found to be the newest, as the last one.
    #[must_use]
    pub fn with_last_message(mut self, message: LastMessage) -> Self {
        self.latest.activity_at = message.at.max(self.latest.activity_at);
        self.latest.message = Some(Arc::new(message));
        self
    }

    /// Whether it has a newest message that it does not show, because a node of another version has stored it.
    pub fn lacks_last_message(&self) -> bool {
        let shown = self.latest.message.as_ref().map_or(0, |message| message.number);
        shown != self.progress.message_count
    }

    /// The session as an event shows it: see [`LatestActivity`].
    #[must_use]
    pub fn in_event(mut self) -> Self {
        self.latest = LatestActivity::default();
        self
    }

    /// Since when the customer waits for support: the first message that support has not answered, or the opening while
    /// there is no message. `None` when support has answered, and of a session that has ended.
    pub fn waiting_since(&self) -> Option<Timestamp> {
        if !self.is_active() {
            None
        } else if self.progress.message_count == 0 {
            Some(self.started_at)
        } else {
            self.progress.waiting_since
        }
    }

    /// The place in the queue of a session that is active and has no agent, from which a higher one comes before a lower one:
    /// the negative of the moment since which the customer waits, or of the end of time when they do not. `None` of any other
    /// session. Messages in a session that has an agent do not change this, so that an index can hold it.
    pub fn queue_place(&self) -> Option<i64> {
        let is_queued = self.state == SessionState::Active { agent: None };
        is_queued.then(|| -self.waiting_since().unwrap_or(Timestamp::MAX).unix_ms())
    }

    /// How many messages of the other side `reader` has not read.
    pub fn unread_by(&self, reader: Party) -> u64 {
        match reader {
            Party::User => self.progress.unread_by_user,
            Party::Support => self.progress.unread_by_support,
        }
    }

    /// Up to where `reader` has read everything of the other side.
    pub fn read_watermark(&self, reader: Party) -> Seq {
        match reader {
            Party::User => self.progress.user_read_seq,
            Party::Support => self.progress.support_read_seq,
        }
    }

    /// Counts `read` messages that `reader` has now seen; the receipt takes the next position.
    #[must_use]
    pub fn record_read(mut self, reader: Party, read: u64, now: Timestamp) -> Self {
        let unread = match reader {
            Party::User => &mut self.progress.unread_by_user,
            Party::Support => &mut self.progress.unread_by_support,
        };
        *unread = unread.saturating_sub(read);
        // A reader without unread messages has read up to the end, whichever messages they named.
        let all = if *unread == 0 { self.progress.last_seq } else { Seq::ZERO };
        self = self.advance_read_watermark(reader, all);
        self.advance(now);
        self
    }

    /// Counts `read` messages that `reader` has now seen, after which none up to `up_to` is unread; the receipt takes
    /// the next position.
    #[must_use]
    pub fn record_read_up_to(self, reader: Party, read: u64, up_to: Seq, now: Timestamp) -> Self {
        self.advance_read_watermark(reader, up_to).record_read(reader, read, now)
    }

    /// Notes that nothing of the other side up to `up_to` is unread by `reader`. That is no change: it only says where
    /// to look for unread messages from now on.
    #[must_use]
    pub fn advance_read_watermark(self, reader: Party, up_to: Seq) -> Self {
        // What was read has arrived.
        let mut session = self.advance_delivery_watermark(reader, up_to);
        let mark = match reader {
            Party::User => &mut session.progress.user_read_seq,
            Party::Support => &mut session.progress.support_read_seq,
        };
        *mark = up_to.max(*mark);
        session
    }

    /// Up to where the other side's messages have reached `reader`.
    pub fn delivery_watermark(&self, reader: Party) -> Seq {
        match reader {
            Party::User => self.progress.user_delivered_seq,
            Party::Support => self.progress.support_delivered_seq,
        }
    }

    /// Notes that everything up to `up_to` has reached `reader`; the receipt takes the next position.
    #[must_use]
    pub fn record_delivery(self, reader: Party, up_to: Seq, now: Timestamp) -> Self {
        let mut session = self.advance_delivery_watermark(reader, up_to);
        session.advance(now);
        session
    }

    /// Notes that nothing of the other side up to `up_to` is still on its way to `reader`. As in
    /// `advance_read_watermark`, that is no change.
    #[must_use]
    pub fn advance_delivery_watermark(mut self, reader: Party, up_to: Seq) -> Self {
        let mark = match reader {
            Party::User => &mut self.progress.user_delivered_seq,
            Party::Support => &mut self.progress.support_delivered_seq,
        };
        *mark = up_to.max(*mark);
        self
    }

    fn given_to(self, agent: Option<AgentId>, now: Timestamp) -> Self {
        let mut session = self.moved_to(SessionState::Active { agent }, now);
        session.latest.activity_at = session.progress.last_event_at;
        session
    }

    fn moved_to(mut self, state: SessionState, now: Timestamp) -> Self {
        self.advance(now);
        self.state = state;
        self
    }

    /// Takes the next position for a change, and returns the time that it has.
    fn advance(&mut self, now: Timestamp) -> Timestamp {
        let at = self.time_of_change(now);
        self.progress.last_seq = self.progress.last_seq.next();
        self.progress.last_event_at = at;
        at
    }
}
