//! Set one's own availability.

use super::ChatService;
use crate::error::{ChatError, Input, Refusal, Resource, Result};
use crate::model::{AgentId, AgentStatus, Principal};
use crate::policy::{self, Action};

impl ChatService {
    /// Sets how an agent is shown while they have an inbox open, until they set it again.
    ///
    /// # Errors
    /// `NotFound` when the agent is not in the directory, before anything that is wrong with the status.
    pub async fn set_availability(&self, who: &Principal, status: Input<AgentStatus>) -> Result<AgentStatus> {
        policy::authorize(who, &Action::SetAvailability)?;
        self.require_access(who)?;
        let id = AgentId::from(&who.id);
        let agent = match &status {
            Ok(status) => self.ports.agents.set_status(&id, *status).await?,
            Err(_) => self.ports.agents.find(&id).await?,
        };
        match agent {
            None => Err(ChatError::NotFound(Resource::Agent)),
            Some(agent) if !agent.active => Err(Refusal::AgentDeactivated.into()),
            Some(_) => Ok(status?),
        }
    }
}
