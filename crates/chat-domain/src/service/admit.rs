//! Let an authenticated caller in.

use super::ChatService;
use crate::error::{Refusal, Result};
use crate::model::{DisplayName, Principal};

impl ChatService {
    /// Comes before every other use case: turns away a person whose access was ended, enters an unknown agent into the
    /// directory, unless the operator does that by hand, and turns away an agent who has been deactivated.
    pub async fn admit(&self, who: &Principal) -> Result<()> {
        self.require_access(who)?;
        let Some(id) = who.agent() else { return Ok(()) };
        let known = match self.ports.agents.find(&id).await? {
            None if self.rules.agent_autoregister => {
                let name = who.name.as_ref().and_then(|name| DisplayName::parse(name.as_str()).ok());
                Some(self.ports.agents.register(id, name, self.ports.clock.now()).await?)
            }
            known => known,
        };
        match known {
            Some(agent) if !agent.active => Err(Refusal::AgentDeactivated.into()),
            _ => Ok(()),
        }
    }
}
