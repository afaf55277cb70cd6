//! Take an agent off duty for good.

use super::ChatService;
use crate::error::{ChatError, Input, Resource, Result};
use crate::model::{Agent, AgentId, Principal};
use crate::policy::{self, Action};

impl ChatService {
    /// Deactivates an agent, who is refused everywhere from then on. Their sockets end: at once those on this node, those
    /// on others when these notice. Their sessions stay theirs until an admin transfers them. `None` stands for an id that
    /// no agent can have, and `input` is only what is wrong with the request.
    pub async fn deactivate_agent(&self, who: &Principal, id: Option<AgentId>, input: Input<()>) -> Result<Agent> {
        policy::authorize(who, &Action::ManageAgents)?;
        if let Err(invalid) = input {
            let known = match id {
                Some(id) => self.ports.agents.find(&id).await?,
                None => None,
            };
            return Err(known.map_or(ChatError::NotFound(Resource::Agent), |_| invalid.into()));
        }
        let known = match id {
            Some(id) => self.ports.agents.deactivate(&id).await?,
            None => None,
        };
        let agent = known.ok_or(ChatError::NotFound(Resource::Agent))?;
        self.close_sockets_of_agent(&agent.id);
        Ok(agent)
    }
}
