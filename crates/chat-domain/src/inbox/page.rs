//! How a page of a view is read from whatever keeps the sessions.

use std::cmp::Reverse;
use std::ops::ControlFlow;

use super::view::{InboxKey, InboxOwner, InboxRange, InboxView, ranges};
use crate::model::{AgentId, ChatSession, PageLimit, Party, Priority, SessionId, Tags, Timestamp, UserId};

/// The most active sessions of an agent or a customer that an inbox looks at. They are read as a whole and sorted in
/// memory, because an index in the order of their activity would move with each message.
pub const MAX_ACTIVE: usize = 1_000;

/// The most sessions that a page looks at to find those that its filter admits.
pub const MAX_FILTERED: usize = 1_000;

/// How many sessions are read at once when a filter may pass over most of them.
const FILTERED_AT_ONCE: usize = 250;

/// Which sessions of a view are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InboxFilter {
    /// Those of this priority.
    pub priority: Option<Priority>,
    /// Those with this label.
    pub tag: Option<String>,
    /// Those of this customer.
    pub user: Option<UserId>,
    /// Those of this agent. For the view `Assigned`.
    pub agent: Option<AgentId>,
}

impl InboxFilter {
    /// Whether it shows all.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it shows `session`.
    pub fn admits(&self, session: &ChatSession) -> bool {
        let has_tag = |tags: &Tags, tag: &String| tags.as_slice().contains(tag);
        self.priority.is_none_or(|priority| session.priority == priority)
            && self.tag.as_ref().is_none_or(|tag| has_tag(&session.tags, tag))
            && self.user.as_ref().is_none_or(|user| session.owner == *user)
            && self.agent.as_ref().is_none_or(|agent| session.agent() == Some(agent))
    }
}

/// A page of a view to read, with the counts of the inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxQuery {
    /// Whose inbox.
    pub owner: InboxOwner,
    /// Which view.
    pub view: InboxView,
    /// Which of its sessions.
    pub filter: InboxFilter,
    /// The page begins right after this place, or where it would be; `None` for the first page.
    pub after: Option<InboxKey>,
    /// How many sessions it has at most.
    pub limit: PageLimit,
}

/// The inbox in figures. Filters change nothing about them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InboxCounts {
    /// The active sessions of `Mine`, at most [`MAX_ACTIVE`].
    pub mine: u64,
    /// The unread messages in them.
    pub mine_unread: u64,
    /// How many sessions wait. 0 for customers.
    pub waiting: u64,
    /// Since when the customer waits who has waited longest for an answer, of the sessions without an agent.
    pub longest_waiting_since: Option<Timestamp>,
}

/// A page of a view, and the counts, of one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxPage {
    /// The sessions, in the order of the view.
    pub sessions: Vec<ChatSession>,
    /// The counts.
    pub counts: InboxCounts,
    /// The place after which the view goes on; `None` on its last page.
    pub next: Option<InboxKey>,
}

/// What a store reads for an inbox, all of one moment.
pub trait InboxSource {
    /// Why it cannot read.
    type Error;

    /// At most `most` sessions of a range after a place in it, in the descending order of the moment and the id, each with
    /// the moment by which it was found. Of a range that is read as a whole, no place is given.
    ///
    /// # Errors
    /// It cannot read.
    fn sessions(
        &mut self,
        range: &InboxRange,
        after: Option<(i64, SessionId)>,
        most: usize,
    ) -> Result<Vec<(i64, ChatSession)>, Self::Error>;

    /// The unread messages of a side in each session of a range that is read as a whole, at most [`MAX_ACTIVE`] of them.
    ///
    /// # Errors
    /// It cannot read.
    fn unread(&mut self, range: &InboxRange, of: Party) -> Result<Vec<u64>, Self::Error>;

    /// How many sessions are active and have no agent.
    ///
    /// # Errors
    /// It cannot read.
    fn waiting(&mut self) -> Result<u64, Self::Error>;

    /// Looks up the newest messages of sessions that lack them; see [`ChatSession::lacks_last_message`].
    ///
    /// # Errors
    /// It cannot read.
    fn complete(&mut self, sessions: &mut [ChatSession]) -> Result<(), Self::Error>;
}

impl InboxQuery {
    /// Reads the page and the counts.
    ///
    /// # Errors
    /// The source cannot read.
    pub fn read<S: InboxSource>(&self, source: &mut S) -> Result<InboxPage, S::Error> {
        let mut page = PageUnderWay { query: self, found: Vec::new(), last: None, seen: 0 };
        let mut next = None;
        for (rank, range) in self.ranges() {
            if self.after.is_some_and(|after| after.rank < rank) {
                continue;
            }
            let read =
                if range.is_whole() { page.whole(source, rank, &range)? } else { page.along(source, rank, &range)? };
            if let ControlFlow::Break(key) = read {
                next = Some(key);
                break;
            }
        }
        let mut sessions = page.found;
        source.complete(&mut sessions)?;
        Ok(InboxPage { sessions, counts: counts(&self.owner, source)?, next })
    }

    /// The ranges of the view, narrower ones in the same order where the filter names a person or a priority.
    fn ranges(&self) -> Vec<(u8, InboxRange)> {
        let mut ranges = ranges(&self.owner, self.view);
        for (_, range) in &mut ranges {
            match (&*range, &self.filter) {
                (InboxRange::Assigned, InboxFilter { agent: Some(agent), .. }) => {
                    *range = InboxRange::AssignedTo(agent.clone());
                }
                (InboxRange::Closed, InboxFilter { user: Some(user), .. }) => {
                    *range = InboxRange::ClosedOf(user.clone());
                }
                _ => {}
            }
        }
        if let Some(priority) = self.filter.priority {
            ranges.retain(|(_, range)| !matches!(range, InboxRange::Waiting(other) if *other != priority));
        }
        ranges
    }
}

/// A page that is being read.
struct PageUnderWay<'q> {
    query: &'q InboxQuery,
    found: Vec<ChatSession>,
    /// The place of the last session that was found.
    last: Option<InboxKey>,
    /// How many sessions were looked at.
    seen: usize,
}

/// Breaks with the place after which the next page begins.
type PageReading = ControlFlow<InboxKey>;

impl PageUnderWay<'_> {
    fn limit(&self) -> usize {
        self.query.limit.get() as usize
    }

    /// A range that is sorted in memory, by what its sessions show.
    fn whole<S: InboxSource>(&mut self, source: &mut S, rank: u8, range: &InboxRange) -> Result<PageReading, S::Error> {
        let rows = source.sessions(range, None, MAX_ACTIVE)?;
        let mut sessions: Vec<ChatSession> = rows.into_iter().map(|(_, session)| session).collect();
        source.complete(&mut sessions)?;
        let key = |session: &ChatSession| InboxKey { rank, at: range.at(session), id: session.id };
        sessions.sort_by_key(|session| Reverse(key(session)));
        sessions.retain(|session| self.query.after.is_none_or(|after| key(session) < after));
        for session in sessions {
            if let ControlFlow::Break(next) = self.take(key(&session), session) {
                return Ok(ControlFlow::Break(next));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// A range that is read in its order, piece by piece.
    fn along<S: InboxSource>(&mut self, source: &mut S, rank: u8, range: &InboxRange) -> Result<PageReading, S::Error> {
        let mut after = self.query.after.filter(|after| after.rank == rank).map(|after| (after.at, after.id));
        loop {
            let wanted = if self.query.filter.is_empty() {
                self.limit() + 1 - self.found.len()
            } else {
                FILTERED_AT_ONCE.min(MAX_FILTERED - self.seen)
            };
            let rows = source.sessions(range, after, wanted)?;
            let is_end = rows.len() < wanted;
            for (at, session) in rows {
                let key = InboxKey { rank, at, id: session.id };
                after = Some((at, session.id));
                self.seen += 1;
                if !self.query.filter.admits(&session) {
                    continue;
                }
                if let ControlFlow::Break(next) = self.take(key, session) {
                    return Ok(ControlFlow::Break(next));
                }
            }
            if is_end {
                return Ok(ControlFlow::Continue(()));
            }
            // There may be more, and enough was looked at: the next page goes on from here.
            if let Some((at, id)) = after
                && self.seen >= MAX_FILTERED
            {
                return Ok(ControlFlow::Break(InboxKey { rank, at, id }));
            }
        }
    }

    /// Puts a session on the page; breaks when it is full.
    fn take(&mut self, key: InboxKey, session: ChatSession) -> PageReading {
        if let Some(last) = self.last
            && self.found.len() >= self.limit()
        {
            return ControlFlow::Break(last);
        }
        self.found.push(session);
        self.last = Some(key);
        ControlFlow::Continue(())
    }
}

/// The counts of a person's inbox.
///
/// # Errors
/// The source cannot read.
fn counts<S: InboxSource>(owner: &InboxOwner, source: &mut S) -> Result<InboxCounts, S::Error> {
    let mut counts = InboxCounts::default();
    let active = match owner {
        InboxOwner::Customer(me) => Some(InboxRange::ActiveOfOwner(me.clone())),
        InboxOwner::Agent(me) => Some(InboxRange::ActiveOfAgent(me.clone())),
        InboxOwner::Admin => None,
    };
    if let Some(active) = active {
        let unread = source.unread(&active, owner.party())?;
        (counts.mine, counts.mine_unread) = (unread.len() as u64, unread.iter().sum());
    }
    if !ranges(owner, InboxView::Waiting).is_empty() {
        counts.waiting = source.waiting()?;
        for priority in Priority::ALL {
            let first = source.sessions(&InboxRange::Waiting(priority), None, 1)?;
            let since = first.first().and_then(|(_, session)| session.waiting_since());
            counts.longest_waiting_since = match (counts.longest_waiting_since, since) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
        }
    }
    Ok(counts)
}
