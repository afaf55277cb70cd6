//! Mark the other side's messages as read.

use super::ChatService;
use crate::error::{Input, Result};
use crate::model::{MessageId, Principal, SessionId};
use crate::policy::{self, Action};

impl ChatService {
    /// Marks messages as read, all or nothing; doing it again changes nothing.
    pub async fn mark_read(&self, who: &Principal, id: SessionId, messages: Input<Vec<MessageId>>) -> Result<()> {
        match messages {
            Ok(messages) if !messages.is_empty() => {
                self.require_access(who)?;
                let at = self.ports.clock.now();
                self.ports.messages.mark_read(id, who.clone(), messages, at).await?;
                Ok(())
            }
            nothing_to_store => {
                policy::authorize(who, &Action::MarkRead(&self.session(id).await?))?;
                nothing_to_store?;
                Ok(())
            }
        }
    }
}
