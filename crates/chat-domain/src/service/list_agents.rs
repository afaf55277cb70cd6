//! List the agents.

use super::ChatService;
use crate::error::Result;
use crate::model::{Agent, Principal};
use crate::policy::{self, Action};

/// The agents by ascending id, deactivated ones included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentList {
    /// For a person who manages them.
    Managed(Vec<Agent>),
    /// For a colleague, who chooses one of them to hand a session over to: who they are and whether they may work.
    Colleagues(Vec<Agent>),
}

impl ChatService {
    /// All agents.
    pub async fn list_agents(&self, who: &Principal) -> Result<AgentList> {
        policy::authorize(who, &Action::ListAgents)?;
        let agents = self.ports.agents.list().await?;
        let manages = policy::authorize(who, &Action::ManageAgents).is_ok();
        Ok(if manages { AgentList::Managed(agents) } else { AgentList::Colleagues(agents) })
    }
}
