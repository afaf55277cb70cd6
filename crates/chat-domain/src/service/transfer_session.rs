//! Hand a session over to another agent, or back to the queue.

use super::ChatService;
use crate::error::{Input, Result};
use crate::model::{AgentId, ChatSession, Principal, SessionAction, SessionChange, SessionId};
use crate::policy::{self, Action};

impl ChatService {
    /// Hands an active session to another agent, or back to the queue (`None`).
    pub async fn transfer_session(
        &self,
        who: &Principal,
        id: SessionId,
        to: Input<Option<AgentId>>,
    ) -> Result<ChatSession> {
        let to = match to {
            Ok(to) => to,
            Err(invalid) => {
                policy::authorize(who, &Action::Transfer(&self.session(id).await?))?;
                return Err(invalid.into());
            }
        };
        self.require_access(who)?;
        let action = SessionAction::Transfer(to);
        self.ports.sessions.change(id, SessionChange { by: who.clone(), at: self.ports.clock.now(), action }).await
    }
}
