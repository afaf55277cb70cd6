//! Enter an agent into the directory or change them.

use super::ChatService;
use crate::error::{Input, Result};
use crate::model::{Agent, AgentId, AgentUpdate, Principal};
use crate::policy::{self, Action};

impl ChatService {
    /// Enters an agent or changes them, as `deactivate_agent` where the update does that. The flag says whether they are
    /// new.
    pub async fn put_agent(
        &self,
        who: &Principal,
        id: Input<AgentId>,
        update: Input<AgentUpdate>,
    ) -> Result<(Agent, bool)> {
        policy::authorize(who, &Action::ManageAgents)?;
        self.require_access(who)?;
        let (agent, is_new) = self.ports.agents.put(id?, update?, self.ports.clock.now()).await?;
        if !agent.active {
            self.close_sockets_of_agent(&agent.id);
        }
        Ok((agent, is_new))
    }
}
