//! List the agents.

use super::ChatService;
use crate::error::Result;
use crate::model::{Agent, KnownPeople, Principal, UserId};
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
    /// All agents, and what is known of them as people.
    pub async fn list_agents(&self, who: &Principal) -> Result<(AgentList, KnownPeople)> {
        policy::authorize(who, &Action::ListAgents)?;
        let agents = self.ports.agents.list().await?;
        let people = self.find_people(agents.iter().map(|agent| UserId::from(&agent.id))).await?;
        let manages = policy::authorize(who, &Action::ManageAgents).is_ok();
        Ok((if manages { AgentList::Managed(agents) } else { AgentList::Colleagues(agents) }, people))
    }
}
