//! End a session.

use super::ChatService;
use crate::error::Result;
use crate::model::{ChatSession, Principal, SessionAction, SessionChange, SessionId};

impl ChatService {
    /// Ends an active session. The right is checked by the store, under the session's lock.
    pub async fn close_session(&self, who: &Principal, id: SessionId) -> Result<ChatSession> {
        let change = SessionChange { by: who.clone(), at: self.ports.clock.now(), action: SessionAction::Close };
        self.ports.sessions.change(id, change).await
    }
}
