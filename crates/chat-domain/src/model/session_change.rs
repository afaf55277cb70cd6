//! A change of a session that a person asks for, decided in one place for every store.

use super::{AgentId, Change, ChatSession, Principal, Timestamp};
use crate::error::{Conflict, Result};
use crate::policy::{self, Action};

/// What is to happen to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionAction {
    /// Give it to an agent.
    Assign(AgentId),
    /// Hand it over, or back to the queue.
    Transfer(Option<AgentId>),
    /// End it.
    Close,
}

impl SessionAction {
    /// The agent who receives the session and therefore must be in the directory and active.
    pub fn receiving_agent(&self) -> Option<&AgentId> {
        match self {
            Self::Assign(agent) => Some(agent),
            Self::Transfer(to) => to.as_ref(),
            Self::Close => None,
        }
    }
}

/// A change of a session, with who asks for it and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionChange {
    /// Who asks.
    pub by: Principal,
    /// When.
    pub at: Timestamp,
    /// What is to happen.
    pub action: SessionAction,
}

impl SessionChange {
    /// Checks the right of the asker and applies the change, whose time is then `last_event_at` of the session: `at`, or
    /// that of the change before it when the asker's node is behind.
    ///
    /// A store calls this inside the transaction that holds the session, so that right and state are those of the
    /// moment of the change. `Ok((session, None))` means that there is nothing to change.
    ///
    /// # Errors
    /// `Forbidden` when the asker has lost the right meanwhile, `Conflict` when the state does not allow the change.
    pub fn decide(&self, session: ChatSession) -> Result<(ChatSession, Option<Change>)> {
        policy::authorize(&self.by, &Action::change(&self.action, &session))?;
        let before = session.progress.last_seq;
        let (session, wrap): (_, fn(ChatSession) -> Change) = match &self.action {
            SessionAction::Assign(agent) => {
                if self.claims_own(&session) {
                    return Err(Conflict::AlreadyYours.into());
                }
                (session.assign(agent.clone(), self.at)?, Change::Assigned)
            }
            SessionAction::Transfer(to) => (session.transfer(to.clone(), self.at)?, Change::Transferred),
            SessionAction::Close => (session.close(self.at)?, Change::Closed),
        };
        let change = (session.progress.last_seq != before).then(|| wrap(session.clone()));
        Ok((session, change))
    }

    /// Whether the asker claims an active session that they hold already.
    fn claims_own(&self, session: &ChatSession) -> bool {
        let SessionAction::Assign(agent) = &self.action else { return false };
        session.is_active() && session.agent() == Some(agent) && *agent == self.by.id
    }
}
