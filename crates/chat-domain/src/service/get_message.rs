//! Look at one message.

use super::ChatService;
use crate::error::{ChatError, Resource, Result};
use crate::model::{ChatMessage, MessageId, Principal, SessionId};
use crate::policy::{self, Action};

impl ChatService {
    /// A message of a session; `message` is `None` for a text that is no id, which no message has.
    pub async fn get_message(&self, who: &Principal, id: SessionId, message: Option<MessageId>) -> Result<ChatMessage> {
        let (session, found) = match message {
            Some(message) => {
                let record = self.ports.messages.find(id, message).await?;
                let record = record.ok_or(ChatError::NotFound(Resource::Session))?;
                (record.session, record.message)
            }
            None => (self.session(id).await?, None),
        };
        policy::authorize(who, &Action::See(&session))?;
        found.ok_or(ChatError::NotFound(Resource::Message))
    }
}
