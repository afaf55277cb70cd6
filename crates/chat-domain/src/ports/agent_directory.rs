//! Who the support agents are.

use async_trait::async_trait;

use crate::error::Result;
use crate::model::{Agent, AgentId, AgentStatus, AgentUpdate, DisplayName, Timestamp};

/// Keeps the agents.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait AgentDirectory: Send + Sync {
    /// The agent of that id, active or not.
    async fn find(&self, id: &AgentId) -> Result<Option<Agent>>;

    /// Those of `ids` whose agents are deactivated, in any order. Its cost MUST NOT grow with the directory.
    async fn deactivated_among(&self, ids: Vec<AgentId>) -> Result<Vec<AgentId>>;

    /// All agents by ascending id.
    async fn list(&self) -> Result<Vec<Agent>>;

    /// Enters an agent or changes them as `Agent::new` and `Agent::updated` say. The flag tells whether they are new.
    async fn put(&self, id: AgentId, update: AgentUpdate, at: Timestamp) -> Result<(Agent, bool)>;

    /// Enters an agent who is not there yet. One who is there MUST stay as they are, deactivated ones included.
    async fn register(&self, id: AgentId, name: Option<DisplayName>, at: Timestamp) -> Result<Agent>;

    /// Deactivates an agent; `None` when there is none of that id.
    async fn deactivate(&self, id: &AgentId) -> Result<Option<Agent>>;

    /// Sets the status of an agent and returns them as they are then; `None` when there is none of that id. A deactivated
    /// agent MUST stay as they are, also if they are deactivated at the same time. It stays set until it is set again.
    async fn set_status(&self, id: &AgentId, status: AgentStatus) -> Result<Option<Agent>>;
}
