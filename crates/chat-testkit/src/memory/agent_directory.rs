//! The agents in memory.

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::{Agent, AgentId, AgentStatus, AgentUpdate, DisplayName, Timestamp};
use chat_domain::ports::AgentDirectory;

use super::MemoryStore;

#[async_trait]
impl AgentDirectory for MemoryStore {
    async fn find(&self, id: &AgentId) -> Result<Option<Agent>> {
        Ok(self.lock().agents.get(id).cloned())
    }

    async fn deactivated_among(&self, ids: Vec<AgentId>) -> Result<Vec<AgentId>> {
        let state = self.lock();
        let deactivated = |id: &AgentId| state.agents.get(id).is_some_and(|agent| !agent.active);
        Ok(ids.into_iter().filter(deactivated).collect())
    }

    async fn list(&self) -> Result<Vec<Agent>> {
        Ok(self.lock().agents.values().cloned().collect())
    }

    async fn put(&self, id: AgentId, update: AgentUpdate, at: Timestamp) -> Result<(Agent, bool)> {
        let mut state = self.lock();
        let (agent, is_new) = match state.agents.get(&id) {
            Some(known) => (known.clone().updated(update), false),
            None => (Agent::new(id.clone(), update, at), true),
        };
        state.agents.insert(id, agent.clone());
        Ok((agent, is_new))
    }

    async fn register(&self, id: AgentId, name: Option<DisplayName>, at: Timestamp) -> Result<Agent> {
        let new = || Agent::new(id.clone(), AgentUpdate { display_name: name, active: None }, at);
        Ok(self.lock().agents.entry(id.clone()).or_insert_with(new).clone())
    }

    async fn deactivate(&self, id: &AgentId) -> Result<Option<Agent>> {
        let mut state = self.lock();
        Ok(state.agents.get_mut(id).map(|agent| {
            agent.active = false;
            agent.clone()
        }))
    }

    async fn set_status(&self, id: &AgentId, status: AgentStatus) -> Result<Option<Agent>> {
        let mut state = self.lock();
        Ok(state.agents.get_mut(id).map(|agent| {
            if agent.active {
                agent.status = status;
            }
            agent.clone()
        }))
    }
}
