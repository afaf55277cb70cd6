//! Show that someone is typing.

use super::ChatService;
use crate::error::{Input, Result};
use crate::model::{LiveEvent, Principal, SessionId, TypingEvent};
use crate::policy::{self, Action};

impl ChatService {
    /// Tells the others who watch the session that `who` started or stopped typing. On a closed session it is accepted
    /// and reaches no socket.
    pub async fn send_typing(&self, who: &Principal, id: SessionId, is_typing: Input<bool>) -> Result<()> {
        let session = self.session(id).await?;
        policy::authorize(who, &Action::ShowTyping(&session))?;
        let is_typing = is_typing?;
        if session.is_active() {
            self.ports.notifier.publish(LiveEvent::Typing(TypingEvent {
                session_id: id,
                user_id: who.id.clone(),
                is_typing,
                at: self.ports.clock.now(),
            }));
        }
        Ok(())
    }
}
