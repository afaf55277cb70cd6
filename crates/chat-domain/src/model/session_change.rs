//! A change of a session that a person asks for.

use super::{AgentId, Principal, Timestamp};

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
