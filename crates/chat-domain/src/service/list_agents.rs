//! List the agents.

use std::time::Duration;

use super::ChatService;
use crate::error::Result;
use crate::model::{Agent, AgentId, Availability, KnownPeople, Principal, UserId};
use crate::policy::{self, Action};

/// An agent, and whether they can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedAgent {
    /// The agent.
    pub agent: Agent,
    /// What is shown of their availability.
    pub availability: Availability,
}

/// The agents by ascending id, deactivated ones included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentList {
    /// For a person who manages them.
    Managed(Vec<ListedAgent>),
    /// For a colleague, who chooses one of them to hand a session over to: who they are and whether they may and do work.
    Colleagues(Vec<ListedAgent>),
}

impl ChatService {
    /// All agents, and what is known of them as people.
    pub async fn list_agents(&self, who: &Principal) -> Result<(AgentList, KnownPeople)> {
        policy::authorize(who, &Action::ListAgents)?;
        let agents = self.ports.agents.list().await?;
        let people = self.find_people(agents.iter().map(|agent| UserId::from(&agent.id))).await?;
        let agents = self.with_availability(agents).await?;
        let manages = policy::authorize(who, &Action::ManageAgents).is_ok();
        Ok((if manages { AgentList::Managed(agents) } else { AgentList::Colleagues(agents) }, people))
    }

    /// What this node knows of its own sockets may be newer than what is written down.
    async fn with_availability(&self, agents: Vec<Agent>) -> Result<Vec<ListedAgent>> {
        let here = self.present_agents.here();
        let is_here = |id: &&AgentId| here.get(*id) == Some(&Duration::ZERO);
        let others: Vec<AgentId> = agents.iter().map(|agent| &agent.id).filter(|id| !is_here(id)).cloned().collect();
        let last_seen = self.ports.presence.last_seen(others).await?;
        let listed = agents.into_iter().map(|agent| {
            let seen = [&here, &last_seen].into_iter().filter_map(|seen| seen.get(&agent.id)).min();
            let availability = agent.availability(seen.copied());
            ListedAgent { agent, availability }
        });
        Ok(listed.collect())
    }
}
