//! How many sessions there are of each kind: the counters that move in the transactions that make the facts. Not here:
//! the statements that keep and read them.

use std::collections::BTreeMap;

use chat_domain::model::{AgentId, ChatSession, SessionStatus, UserId, Visibility};
use chat_domain::write::Effects;

/// Sessions that are counted together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// All.
    All,
    /// Those of a customer.
    User(UserId),
    /// Those of an agent.
    Agent(AgentId),
    /// Those without an agent.
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

    /// What the columns of `chat_sessions` are in the sessions of this scope and status: a value, or null.
    pub fn conditions(&self, status: Option<SessionStatus>) -> Vec<(&'static str, Option<&str>)> {
        let of_scope = match self {
            Self::All => None,
            Self::User(user) => Some(("user_id", Some(user.as_str()))),
            Self::Agent(agent) => Some(("agent_id", Some(agent.as_str()))),
            Self::Unassigned => Some(("agent_id", None)),
        };
        of_scope.into_iter().chain(status.map(|status| ("status", Some(status.as_str())))).collect()
    }

    /// The three scopes that count a session.
    pub fn of(session: &ChatSession) -> [Self; 3] {
        let holder = session.agent().map_or(Self::Unassigned, |agent| Self::Agent(agent.clone()));
        [Self::All, Self::User(session.owner.clone()), holder]
    }

    /// The scopes whose sessions make up a list, each with the status to which it is limited there. No session is in
    /// two of them.
    pub fn listed(visible: &Visibility, status: Option<SessionStatus>) -> Vec<(Self, Option<SessionStatus>)> {
        match visible {
            Visibility::Everything => vec![(Self::All, status)],
            Visibility::OwnedBy(user) => vec![(Self::User(user.clone()), status)],
            Visibility::AssignedToOrWaiting(agent) => {
                let mut scopes = vec![(Self::Agent(agent.clone()), status)];
                if status != Some(SessionStatus::Closed) {
                    scopes.push((Self::Unassigned, Some(SessionStatus::Active)));
                }
                scopes
            }
        }
    }
}

/// What a batch adds to the numbers of sessions.
#[derive(Debug, Default)]
pub struct SessionCounts {
    added: BTreeMap<(Scope, SessionStatus), i64>,
}

impl SessionCounts {
    /// What the effects of a batch add.
    pub fn of(effects: &Effects) -> Self {
        let mut counts = Self::default();
        for effect in effects.sessions() {
            match &effect.before {
                Some(before) if before.state == effect.after.state => continue,
                Some(before) => counts.remove(before),
                None => {}
            }
            counts.add(&effect.after);
        }
        counts
    }

    /// Counts a session as it is now.
    pub fn add(&mut self, session: &ChatSession) {
        self.shift(session, 1);
    }

    /// Stops counting a session as it was.
    pub fn remove(&mut self, session: &ChatSession) {
        self.shift(session, -1);
    }

    fn shift(&mut self, session: &ChatSession, by: i64) {
        let status = if session.is_active() { SessionStatus::Active } else { SessionStatus::Closed };
        for scope in Scope::of(session) {
            *self.added.entry((scope, status)).or_default() += by;
        }
    }

    /// What was added to the totals, in a fixed order and without what came to nothing.
    pub fn totals(&self) -> impl Iterator<Item = (&Scope, SessionStatus, i64)> {
        self.added.iter().map(|((scope, status), by)| (scope, *status, *by)).filter(|(_, _, by)| *by != 0)
    }
}

#[cfg(test)]
mod tests {
    use chat_domain::model::{NewSession, Priority, SessionId, SessionState, Tags, Timestamp};
    use uuid::Uuid;

    use super::*;

    fn session() -> ChatSession {
        ChatSession::open(NewSession {
            id: SessionId::new(Uuid::nil()),
            owner: UserId::parse("alice").unwrap(),
            subject: None,
            priority: Priority::Low,
            tags: Tags::default(),
            started_at: Timestamp::from_unix_ms(5),
        })
    }

    fn closed(session: &ChatSession) -> ChatSession {
        let state = SessionState::Closed { agent: None, at: session.started_at };
        ChatSession { state, ..session.clone() }
    }

    #[test]
    fn a_session_that_closes_in_the_batch_that_opened_it_counts_as_closed_alone() {
        let (mut counts, session) = (SessionCounts::default(), session());
        counts.add(&session);
        counts.remove(&session);
        assert_eq!(counts.totals().count(), 0);
        counts.add(&closed(&session));
        assert!(counts.totals().all(|(_, status, by)| (status, by) == (SessionStatus::Closed, 1)));
        assert_eq!(counts.totals().count(), 3);
    }
}
