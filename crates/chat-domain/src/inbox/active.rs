//! What has to be known of an active session to notice that it leaves a view, and to count.

use super::page::{InboxSource, MAX_ACTIVE};
use super::view::{InboxOwner, InboxRange, InboxView};
use crate::model::{AgentId, ChatSession, Priority, Seq, SessionId, Timestamp, UserId};

/// An active session, as far as an inbox is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveSession {
    /// Its name.
    pub id: SessionId,
    /// The position of its newest change.
    pub seq: Seq,
    /// The customer it belongs to.
    pub owner: UserId,
    /// Who answers; `None` while it waits in the queue.
    pub agent: Option<AgentId>,
    /// How urgent it is.
    pub priority: Priority,
    /// Since when the customer waits for an answer.
    pub waiting_since: Option<Timestamp>,
    /// Support's messages that the customer has not read.
    pub unread_by_user: u64,
    /// The customer's messages that support has not read.
    pub unread_by_support: u64,
}

impl ActiveSession {
    /// The session, if it is active.
    pub fn of(session: &ChatSession) -> Option<Self> {
        session.is_active().then(|| Self {
            id: session.id,
            seq: session.progress.last_seq,
            owner: session.owner.clone(),
            agent: session.agent().cloned(),
            priority: session.priority,
            waiting_since: session.waiting_since(),
            unread_by_user: session.progress.unread_by_user,
            unread_by_support: session.progress.unread_by_support,
        })
    }

    /// The ranges of active sessions that it is in.
    pub fn ranges(&self) -> Vec<InboxRange> {
        let owned = InboxRange::ActiveOfOwner(self.owner.clone());
        match &self.agent {
            None => vec![owned, InboxRange::Waiting(self.priority)],
            Some(agent) => vec![owned, InboxRange::Assigned, InboxRange::ActiveOfAgent(agent.clone())],
        }
    }

    /// Whether it is in a view of a person's inbox: the same as [`place`](super::place) says of the whole session.
    pub fn is_in(&self, owner: &InboxOwner, view: InboxView) -> bool {
        match (view, owner) {
            (InboxView::Mine, InboxOwner::Customer(me)) => self.owner == *me,
            (InboxView::Mine, InboxOwner::Agent(me)) => self.agent.as_ref() == Some(me),
            (InboxView::Waiting, InboxOwner::Agent(_) | InboxOwner::Admin) => self.agent.is_none(),
            (InboxView::Assigned, InboxOwner::Admin) => self.agent.is_some(),
            _ => false,
        }
    }
}

impl InboxOwner {
    /// The ranges of active sessions that a person's views and counts are made of.
    pub fn active_ranges(&self) -> Vec<InboxRange> {
        let waiting = Priority::ALL.into_iter().map(InboxRange::Waiting);
        match self {
            Self::Customer(me) => vec![InboxRange::ActiveOfOwner(me.clone())],
            Self::Agent(me) => waiting.chain([InboxRange::ActiveOfAgent(me.clone())]).collect(),
            Self::Admin => waiting.chain([InboxRange::Assigned]).collect(),
        }
    }

    /// The range of the sessions in a view that have ended, by their end; `None` if the view has only active ones.
    pub fn ended_range(&self, view: InboxView) -> Option<InboxRange> {
        match (view, self) {
            (InboxView::Mine | InboxView::Closed, Self::Customer(me)) => Some(InboxRange::ClosedOf(me.clone())),
            (InboxView::Closed, Self::Agent(me)) => Some(InboxRange::ClosedUnder(me.clone())),
            (InboxView::Closed, Self::Admin) => Some(InboxRange::Closed),
            _ => None,
        }
    }
}

/// How many sessions of a range are read at once.
const AT_ONCE: usize = 500;

/// Reads all active sessions of these ranges, range by range.
///
/// # Errors
/// The source cannot read.
pub fn read_active<S: InboxSource>(ranges: &[InboxRange], source: &mut S) -> Result<Vec<ActiveSession>, S::Error> {
    let mut active = Vec::new();
    for range in ranges {
        let at_once = if range.is_whole() { MAX_ACTIVE } else { AT_ONCE };
        let mut after = None;
        loop {
            let rows = source.sessions(range, after, at_once)?;
            let is_end = range.is_whole() || rows.len() < at_once;
            after = rows.last().map(|(at, session)| (*at, session.id));
            active.extend(rows.iter().filter_map(|(_, session)| ActiveSession::of(session)));
            if is_end {
                break;
            }
        }
    }
    Ok(active)
}

/// Reads the positions of the sessions of a range that ended last, at most `most`.
///
/// # Errors
/// The source cannot read.
pub fn read_ended<S: InboxSource>(
    range: &InboxRange,
    most: usize,
    source: &mut S,
) -> Result<Vec<(SessionId, Seq)>, S::Error> {
    let rows = source.sessions(range, None, most)?;
    Ok(rows.iter().map(|(_, session)| (session.id, session.progress.last_seq)).collect())
}
