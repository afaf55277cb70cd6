//! The chat session and its state machine.

use std::fmt;
use std::time::Duration;

use super::{AgentId, DetailsUpdate, Priority, SessionDetails, SessionId, Subject, Tags, Timestamp, UserId};

/// A position in the dense sequence of a session's durable changes: 1, 2, 3 … without gaps.
///
/// 0 stands before the first change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(u64);

impl Seq {
    /// The position before the first change.
    pub const ZERO: Self = Self(0);

    /// The position `n`.
    pub fn new(n: u64) -> Self {
        Self(n)
    }

    /// The position as a number.
    pub fn get(self) -> u64 {
        self.0
    }

    /// The position right after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The two sides of a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Party {
    /// The customer who owns the session.
    User,
    /// Everyone who answers: agents and admins.
    Support,
}

impl Party {
    /// The contract's name for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Support => "support",
        }
    }

    /// The side by a name that was stored. A sender that only a newer version knows is on the desk's side, as everybody
    /// is who is not the customer.
    pub fn from_store(name: &str) -> Self {
        if name == Self::User.as_str() { Self::User } else { Self::Support }
    }

    /// The side across the table.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::User => Self::Support,
            Self::Support => Self::User,
        }
    }
}

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
            SessionState::Active { agent: None } => Ok(self.moved_to(SessionState::Active { agent: Some(agent) }, now)),
            from => Err(TransitionError { attempted: AttemptedTransition::Assign, from }),
        }
    }

    /// Hands an active session to another agent, or back to the queue (`None`).
    /// A session that is already there stays as it is and takes no position.
    pub fn transfer(self, to: Option<AgentId>, now: Timestamp) -> Result<Self, TransitionError> {
        match self.state {
            SessionState::Active { ref agent } if *agent == to => Ok(self),
            SessionState::Active { .. } => Ok(self.moved_to(SessionState::Active { agent: to }, now)),
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

    /// Counts `read` messages that `reader` has now seen, up to `up_to` the last ones that were unread; the receipt takes
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
