//! Give a waiting session to an agent.

use super::ChatService;
use crate::error::{Input, Result};
use crate::model::{AgentId, ChatSession, Principal, SessionAction, SessionChange, SessionId};
use crate::policy::{self, Action};

impl ChatService {
    /// Gives an active, unassigned session to an agent: an admin to anyone, an agent to themself.
    pub async fn assign_agent(&self, who: &Principal, id: SessionId, agent: Input<AgentId>) -> Result<ChatSession> {
        let agent = match agent {
            Ok(agent) => agent,
            Err(invalid) => {
                // Only a caller who may assign at all learns what is wrong with the input.
                self.session(id).await?;
                policy::authorize(who, &Action::AssignAnything)?;
                return Err(invalid.into());
            }
        };
        self.require_access(who)?;
        let action = SessionAction::Assign(agent);
        self.ports.sessions.change(id, SessionChange { by: who.clone(), at: self.ports.clock.now(), action }).await
    }
}
