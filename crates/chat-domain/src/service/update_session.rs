//! Change what a session is about.

use super::ChatService;
use crate::error::{Input, Result};
use crate::model::{Principal, SessionAction, SessionChange, SessionId, SessionUpdate};
use crate::policy::{self, Action};
use crate::write::{ChangedSession, SessionWrite};

impl ChatService {
    /// Changes subject, priority and tags of an active session. An update that changes nothing is none: it has no event.
    pub async fn update_session(
        &self,
        who: &Principal,
        id: SessionId,
        update: Input<SessionUpdate>,
    ) -> Result<ChangedSession> {
        let update = match update {
            Ok(update) => update,
            Err(invalid) => {
                policy::authorize(who, &Action::Update(&self.session(id).await?))?;
                return Err(invalid.into());
            }
        };
        self.require_access(who)?;
        let action = SessionAction::Update(update);
        let change = SessionChange { by: who.clone(), at: self.ports.clock.now(), action };
        self.ports.sessions.write(SessionWrite::ChangeSession(id, change)).await?.changed()
    }
}
