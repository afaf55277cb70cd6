//! List the agents.

use super::ChatService;
use crate::error::Result;
use crate::model::{Agent, Principal};
use crate::policy::{self, Action};

impl ChatService {
    /// All agents by ascending id, deactivated ones included.
    pub async fn list_agents(&self, who: &Principal) -> Result<Vec<Agent>> {
        policy::authorize(who, &Action::ManageAgents)?;
        self.ports.agents.list().await
    }
}
