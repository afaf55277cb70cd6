//! A change of a session that a person asks for.

use super::{AgentId, DetailsUpdate, Principal, Seq, Timestamp};

/// What is to happen to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionAction {
    /// Give it to an agent.
    Assign(AgentId),
    /// Hand it over, or back to the queue.
    Transfer(Option<AgentId>),
    /// Change what it is about.
    Update(SessionUpdate),
    /// End it.
    Close,
}

impl SessionAction {
    /// The agent who receives the session and therefore must be in the directory and active.
    pub fn receiving_agent(&self) -> Option<&AgentId> {
        match self {
            Self::Assign(agent) => Some(agent),
            Self::Transfer(to) => to.as_ref(),
            Self::Update(_) | Self::Close => None,
        }
    }
}

/// A change of what a session is about, made only if the session is as the asker knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionUpdate {
    /// What is to change.
    pub details: DetailsUpdate,
    /// As what the asker knows the session.
    pub expected: ExpectedVersion,
}

/// The version of a session that a change is meant for. The version is the position of the newest durable change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ExpectedVersion {
    /// Whatever it is.
    #[default]
    Any,
    /// One of these; with none of them, no version is expected.
    OneOf(Vec<Seq>),
}

impl ExpectedVersion {
    /// Whether a session of this version is as it is expected.
    pub fn admits(&self, version: Seq) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(versions) => versions.contains(&version),
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
