//! The views of an inbox: what is in them, and their order.

use crate::model::{
    AgentId, ChatSession, Party, Principal, Priority, Role, SessionId, SessionState, Timestamp, UserId,
};

/// A part of the inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InboxView {
    /// What a person works on: an agent's active sessions; all sessions of a customer, active ones first.
    Mine,
    /// The queue: active sessions without an agent.
    Waiting,
    /// Active sessions that have an agent.
    Assigned,
    /// Sessions that have ended: those of an agent were theirs when they ended.
    Closed,
}

impl InboxView {
    /// All views.
    pub const ALL: [Self; 4] = [Self::Mine, Self::Waiting, Self::Assigned, Self::Closed];

    /// Its name for clients.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mine => "mine",
            Self::Waiting => "waiting",
            Self::Assigned => "assigned",
            Self::Closed => "closed",
        }
    }

    /// The view of that name, if there is one.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|view| view.as_str() == name)
    }

    /// Whether people of this role have the view.
    pub fn is_for(self, role: Role) -> bool {
        match self {
            Self::Mine => role != Role::Admin,
            Self::Waiting => role != Role::User,
            Self::Assigned => role == Role::Admin,
            Self::Closed => true,
        }
    }

    /// Whether the view can be filtered.
    pub fn has_filters(self) -> bool {
        self != Self::Mine
    }
}

/// Whose inbox it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InboxOwner {
    /// A customer.
    Customer(UserId),
    /// An agent.
    Agent(AgentId),
    /// Any admin: they see the same.
    Admin,
}

impl InboxOwner {
    /// The inbox of a person.
    pub fn of(who: &Principal) -> Self {
        match who.role {
            Role::User => Self::Customer(who.id.clone()),
            Role::Agent => Self::Agent(AgentId::from(&who.id)),
            Role::Admin => Self::Admin,
        }
    }

    /// The side whose unread messages the inbox counts.
    pub fn party(&self) -> Party {
        match self {
            Self::Customer(_) => Party::User,
            Self::Agent(_) | Self::Admin => Party::Support,
        }
    }
}

/// The place of a session in a view. Views are in descending order of it. While a session is in a view, only `Mine`
/// and a session that waits move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InboxKey {
    /// What comes before every moment: the priority of a session that waits, and that a customer's session is active.
    pub rank: u8,
    /// The moment that the view is ordered by, in milliseconds; of sessions that wait its negative, since those come first
    /// that have waited longest.
    pub at: i64,
    /// The session, which decides between equal moments.
    pub id: SessionId,
}

/// A run of sessions in one rank of a view, which a store reads in the descending order of [`InboxKey::at`] and the id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum InboxRange {
    /// The active sessions of an agent, by their start; read as a whole, and sorted in memory.
    ActiveOfAgent(AgentId),
    /// The active sessions of a customer, likewise.
    ActiveOfOwner(UserId),
    /// Those that wait and have this priority, by [`ChatSession::queue_place`].
    Waiting(Priority),
    /// The active sessions that have an agent, by their start.
    Assigned,
    /// Those of this agent, by their start.
    AssignedTo(AgentId),
    /// Those that have ended, by their end.
    Closed,
    /// Those that have ended and were this agent's, by their end.
    ClosedUnder(AgentId),
    /// Those of a customer that have ended, by their end.
    ClosedOf(UserId),
    /// The same, by their last activity.
    SettledOf(UserId),
}

impl InboxRange {
    /// Whether the range is read as a whole, and sorted by activity in memory.
    pub fn is_whole(&self) -> bool {
        matches!(self, Self::ActiveOfAgent(_) | Self::ActiveOfOwner(_))
    }

    /// Whether `session` is in the range.
    pub fn includes(&self, session: &ChatSession) -> bool {
        let (agent, is_active) = (session.agent(), session.is_active());
        match self {
            Self::ActiveOfAgent(me) | Self::AssignedTo(me) => is_active && agent == Some(me),
            Self::ActiveOfOwner(me) => is_active && session.owner == *me,
            Self::Waiting(priority) => is_active && agent.is_none() && session.priority == *priority,
            Self::Assigned => is_active && agent.is_some(),
            Self::Closed => !is_active,
            Self::ClosedUnder(me) => !is_active && agent == Some(me),
            Self::ClosedOf(me) | Self::SettledOf(me) => !is_active && session.owner == *me,
        }
    }

    /// What orders a session of the range, besides its id.
    pub fn at(&self, session: &ChatSession) -> i64 {
        let at = match self {
            Self::ActiveOfAgent(_) | Self::ActiveOfOwner(_) | Self::SettledOf(_) => session.latest.activity_at,
            Self::Waiting(_) => return session.queue_place().unwrap_or(i64::MIN),
            Self::Assigned | Self::AssignedTo(_) => session.started_at,
            Self::Closed | Self::ClosedUnder(_) | Self::ClosedOf(_) => session.ended_at().unwrap_or_default(),
        };
        at.unix_ms()
    }
}

/// The rank of a priority in the queue.
fn rank_of(priority: Priority) -> u8 {
    match priority {
        Priority::Low => 0,
        Priority::Medium => 1,
        Priority::High => 2,
    }
}

/// The ranges that make up a view of a person's inbox, first to last, each with its rank. Empty when the view is not one of
/// theirs.
pub(super) fn ranges(owner: &InboxOwner, view: InboxView) -> Vec<(u8, InboxRange)> {
    match (view, owner) {
        (InboxView::Mine, InboxOwner::Customer(me)) => {
            vec![(1, InboxRange::ActiveOfOwner(me.clone())), (0, InboxRange::SettledOf(me.clone()))]
        }
        (InboxView::Mine, InboxOwner::Agent(me)) => vec![(0, InboxRange::ActiveOfAgent(me.clone()))],
        (InboxView::Waiting, InboxOwner::Agent(_) | InboxOwner::Admin) => {
            let by_rank = |priority| (rank_of(priority), InboxRange::Waiting(priority));
            Priority::ALL.into_iter().rev().map(by_rank).collect()
        }
        (InboxView::Assigned, InboxOwner::Admin) => vec![(0, InboxRange::Assigned)],
        (InboxView::Closed, InboxOwner::Customer(me)) => vec![(0, InboxRange::ClosedOf(me.clone()))],
        (InboxView::Closed, InboxOwner::Agent(me)) => vec![(0, InboxRange::ClosedUnder(me.clone()))],
        (InboxView::Closed, InboxOwner::Admin) => vec![(0, InboxRange::Closed)],
        (InboxView::Mine, InboxOwner::Admin)
        | (InboxView::Waiting, InboxOwner::Customer(_))
        | (InboxView::Assigned, InboxOwner::Customer(_) | InboxOwner::Agent(_)) => Vec::new(),
    }
}

/// The place of a session in a view of a person's inbox; `None` when it is not in it.
pub fn place(owner: &InboxOwner, view: InboxView, session: &ChatSession) -> Option<InboxKey> {
    let ranges = ranges(owner, view);
    let (rank, range) = ranges.iter().find(|(_, range)| range.includes(session))?;
    Some(InboxKey { rank: *rank, at: range.at(session), id: session.id })
}

/// What the column of a session holds that orders its customer's list once it has ended: the last activity; `None` while it
/// is active, so that no message moves the index.
pub fn settled_activity(session: &ChatSession) -> Option<Timestamp> {
    matches!(session.state, SessionState::Closed { .. }).then_some(session.latest.activity_at)
}
