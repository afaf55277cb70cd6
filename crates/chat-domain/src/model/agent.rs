//! Support agents as the directory knows them.

use std::time::Duration;

use super::session_details::reject_nul;
use super::{AgentId, AgentStatus, Availability, Timestamp};
use crate::invalid::Violation;

/// What an agent is called: 1 to 100 characters without white space around them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisplayName(String);

impl DisplayName {
    /// Trims the text and checks its length.
    pub fn parse(text: &str) -> Result<Self, Violation> {
        let text = text.trim();
        if !(1..=100).contains(&text.chars().count()) {
            return Err(Violation::new("must have 1 to 100 characters"));
        }
        reject_nul(text)?;
        Ok(Self(text.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Someone sessions can be assigned to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// Who it is.
    pub id: AgentId,
    /// What they are called.
    pub display_name: Option<DisplayName>,
    /// Whether they may work; a deactivated agent keeps their sessions but is refused everywhere.
    pub active: bool,
    /// What they have set of their availability.
    pub status: AgentStatus,
    /// When they entered the directory.
    pub created_at: Timestamp,
}

/// What an admin says of an agent; `None` leaves what is there, or the default for a new one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentUpdate {
    /// What they are called.
    pub display_name: Option<DisplayName>,
    /// Whether they may work; a new agent may.
    pub active: Option<bool>,
}

impl Agent {
    /// A new agent, active unless the update says otherwise.
    pub fn new(id: AgentId, update: AgentUpdate, created_at: Timestamp) -> Self {
        Self {
            id,
            display_name: update.display_name,
            active: update.active.unwrap_or(true),
            status: AgentStatus::default(),
            created_at,
        }
    }

    /// The agent with the update applied.
    #[must_use]
    pub fn updated(mut self, update: AgentUpdate) -> Self {
        self.display_name = update.display_name.or(self.display_name);
        self.active = update.active.unwrap_or(self.active);
        self
    }

    /// What is shown of them when they had an inbox open `seen_ago`; `None` for never. A deactivated agent can take no
    /// session, so they are offline at once.
    pub fn availability(&self, seen_ago: Option<Duration>) -> Availability {
        Availability::of(self.status, seen_ago.filter(|_| self.active))
    }
}
