//! End a session.

use super::ChatService;
use crate::error::{Input, Result};
use crate::model::{ChatSession, Principal, SessionAction, SessionChange, SessionId};
use crate::policy::{self, Action};

impl ChatService {
    /// Ends an active session. The right is checked by the store, under the session's lock.
    ///
    /// There is nothing to decide, so `input` is only what is wrong with the request.
    pub async fn close_session(&self, who: &Principal, id: SessionId, input: Input<()>) -> Result<ChatSession> {
        if let Err(invalid) = input {
            policy::authorize(who, &Action::Close(&self.session(id).await?))?;
            return Err(invalid.into());
        }
        self.require_access(who)?;
        let change = SessionChange { by: who.clone(), at: self.ports.clock.now(), action: SessionAction::Close };
        self.ports.sessions.change(id, change).await
    }
}
