//! How many sessions there are of each kind: the counters that move in the transactions that make the facts.
//!
//! Each kind is counted as a whole, for the totals of lists, and by buckets of the time at which the sessions started,
//! from which `page_start` finds a page without walking to it. Not here: the statements that keep and read the counters.

use std::collections::BTreeMap;

use chat_domain::model::{AgentId, ChatSession, StatusFilter, UserId, Visibility};

/// Sessions that are counted together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// All.
    All,
    /// Those of a customer.
    User(UserId),
    /// Those of an agent.
    Agent(AgentId),
    /// Those that nobody has.
    Unassigned,
}

impl Scope {
    /// The columns `scope` and `holder`.
    pub fn columns(&self) -> (&'static str, &str) {
        match self {
            Self::All => ("all", ""),
            Self::User(user) => ("user", user.as_str()),
            Self::Agent(agent) => ("agent", agent.as_str()),
            Self::Unassigned => ("unassigned", ""),
        }
    }

    /// The three scopes that count a session.
    pub fn of(session: &ChatSession) -> [Self; 3] {
        let holder = session.agent().map_or(Self::Unassigned, |agent| Self::Agent(agent.clone()));
        [Self::All, Self::User(session.owner.clone()), holder]
    }

    /// The scopes whose sessions make up a list, each with the status to which it is limited there. No session is in
    /// two of them.
    pub fn listed(visible: &Visibility, status: Option<StatusFilter>) -> Vec<(Self, Option<StatusFilter>)> {
        match visible {
            Visibility::Everything => vec![(Self::All, status)],
            Visibility::OwnedBy(user) => vec![(Self::User(user.clone()), status)],
            Visibility::AssignedToOrWaiting(agent) => {
                let mut scopes = vec![(Self::Agent(agent.clone()), status)];
                if status != Some(StatusFilter::Closed) {
                    scopes.push((Self::Unassigned, Some(StatusFilter::Active)));
                }
                scopes
            }
        }
    }
}

/// How wide the buckets are, coarsest first: a bucket of a level holds the sessions that started in the same
/// 2^level ms, which are 50 days, 4.7 hours and 66 seconds. Each bucket has at most 256 of the next level in it.
pub const LEVELS: [i32; 3] = [32, 24, FINEST];

/// The level of the narrowest buckets.
pub(crate) const FINEST: i32 = 16;

/// A span of 2^level ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bucket {
    /// One of [`LEVELS`].
    pub level: i32,
    /// The start of the span in units of 2^level ms since 1970; negative before.
    pub number: i64,
}

/// Numbers of sessions, or what is added to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByStatus {
    /// Active sessions.
    pub active: i64,
    /// Closed sessions.
    pub closed: i64,
}

impl ByStatus {
    /// The number of a status, or of both.
    pub fn of(self, status: Option<StatusFilter>) -> i64 {
        match status {
            Some(StatusFilter::Active) => self.active,
            Some(StatusFilter::Closed) => self.closed,
            None => self.active + self.closed,
        }
    }

    fn add(&mut self, other: Self) {
        self.active += other.active;
        self.closed += other.closed;
    }
}

/// What a batch adds to the numbers of sessions.
#[derive(Debug, Default)]
pub struct SessionCounts {
    /// By the number of the narrowest bucket. Everything else follows from these.
    added: BTreeMap<(Scope, i64), ByStatus>,
}

impl SessionCounts {
    /// Counts a session as it is now.
    pub fn add(&mut self, session: &ChatSession) {
        self.shift(session, 1);
    }

    /// Stops counting a session as it was.
    pub fn remove(&mut self, session: &ChatSession) {
        self.shift(session, -1);
    }

    fn shift(&mut self, session: &ChatSession, by: i64) {
        let bucket = session.started_at.unix_ms() >> FINEST;
        for scope in Scope::of(session) {
            let added = self.added.entry((scope, bucket)).or_default();
            *if session.is_active() { &mut added.active } else { &mut added.closed } += by;
        }
    }

    /// Forgets what was added.
    pub fn clear(&mut self) {
        self.added.clear();
    }

    /// What was added to the totals, in a fixed order and without what came to nothing.
    pub fn totals(&self) -> impl Iterator<Item = (&Scope, StatusFilter, i64)> {
        let mut totals: BTreeMap<&Scope, ByStatus> = BTreeMap::new();
        for ((scope, _), added) in &self.added {
            totals.entry(scope).or_default().add(*added);
        }
        let both = |(scope, added): (_, ByStatus)| {
            [StatusFilter::Active, StatusFilter::Closed].map(|status| (scope, status, added.of(Some(status))))
        };
        totals.into_iter().flat_map(both).filter(|(_, _, by)| *by != 0)
    }

    /// What was added to the buckets of all levels, in a fixed order and without what came to nothing.
    pub fn buckets(&self) -> impl Iterator<Item = (&Scope, Bucket, ByStatus)> {
        let mut buckets: BTreeMap<(&Scope, Bucket), ByStatus> = BTreeMap::new();
        for ((scope, finest), added) in &self.added {
            for level in LEVELS {
                let bucket = Bucket { level, number: finest >> (level - FINEST) };
                buckets.entry((scope, bucket)).or_default().add(*added);
            }
        }
        let moved = buckets.into_iter().filter(|(_, added)| *added != ByStatus::default());
        moved.map(|((scope, bucket), added)| (scope, bucket, added))
    }
}

#[cfg(test)]
mod tests {
    use chat_domain::model::{NewSession, Priority, SessionId, SessionState, Tags, Timestamp};
    use uuid::Uuid;

    use super::*;

    fn session(started_at: i64) -> ChatSession {
        ChatSession::open(NewSession {
            id: SessionId::new(Uuid::nil()),
            owner: UserId::parse("alice").unwrap(),
            subject: None,
            priority: Priority::Low,
            tags: Tags::default(),
            started_at: Timestamp::from_unix_ms(started_at),
        })
    }

    fn closed(session: &ChatSession) -> ChatSession {
        let state = SessionState::Closed { agent: None, at: session.started_at };
        ChatSession { state, ..session.clone() }
    }

    #[test]
    fn a_session_is_in_one_bucket_a_level_also_before_1970() {
        let mut counts = SessionCounts::default();
        counts.add(&session(-1));
        counts.add(&session(1 << 16));
        let of_all = counts.buckets().filter(|(scope, ..)| **scope == Scope::All);
        let found: Vec<_> = of_all.map(|(_, bucket, by)| (bucket.level, bucket.number, by.active, by.closed)).collect();
        let expected = [(16, -1), (16, 1), (24, -1), (24, 0), (32, -1), (32, 0)];
        assert_eq!(found, expected.map(|(level, number)| (level, number, 1, 0)));
    }

    #[test]
    fn a_session_that_closes_in_the_batch_that_opened_it_counts_as_closed_alone() {
        let (mut counts, session) = (SessionCounts::default(), session(5));
        counts.add(&session);
        counts.remove(&session);
        assert_eq!((counts.totals().count(), counts.buckets().count()), (0, 0));
        counts.add(&closed(&session));
        assert!(counts.totals().all(|(_, status, by)| (status, by) == (StatusFilter::Closed, 1)));
        assert_eq!(counts.totals().count(), 3);
        assert!(counts.buckets().all(|(.., by)| by == ByStatus { active: 0, closed: 1 }));
        assert_eq!(counts.buckets().count(), 9);
    }
}
