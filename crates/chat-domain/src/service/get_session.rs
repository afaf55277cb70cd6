//! Look at one session.

use super::ChatService;
use crate::error::Result;
use crate::model::{ChatSession, Principal, SessionId};
use crate::policy::{self, Action};

impl ChatService {
    /// The session of that id.
    pub async fn get_session(&self, who: &Principal, id: SessionId) -> Result<ChatSession> {
        let session = self.session(id).await?;
        policy::authorize(who, &Action::See(&session))?;
        Ok(session)
    }
}
