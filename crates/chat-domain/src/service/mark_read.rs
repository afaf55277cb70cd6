//! Mark the other side's messages as read.

use super::ChatService;
use crate::error::{Input, Invalid, Result};
use crate::model::{MessageId, Principal, Seq, SessionId};
use crate::policy::{self, Action};

/// Which messages a request marks as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadMessages {
    /// These.
    Named(Vec<MessageId>),
    /// All up to this position.
    UpTo(Seq),
}

impl ReadMessages {
    /// The field of a request that names the position.
    pub const UP_TO: &str = "upToSeq";
}

impl ChatService {
    /// Marks messages as read, named ones all or nothing; doing it again changes nothing. A position must not be ahead of
    /// the session's newest event: the caller cannot have seen what is there.
    pub async fn mark_read(&self, who: &Principal, id: SessionId, messages: Input<ReadMessages>) -> Result<()> {
        match messages {
            Ok(ReadMessages::Named(messages)) if !messages.is_empty() => {
                self.require_access(who)?;
                let at = self.ports.clock.now();
                self.ports.messages.mark_read(id, who.clone(), messages, at).await?;
                Ok(())
            }
            Ok(ReadMessages::UpTo(up_to)) => {
                self.require_access(who)?;
                let session = self.session(id).await?;
                policy::authorize(who, &Action::MarkRead(&session))?;
                // The newest position only grows, so what is not ahead of it now is not when the write is decided.
                if up_to > session.progress.last_seq {
                    let rule = "must not be ahead of the newest event of the session";
                    return Err(Invalid::new(ReadMessages::UP_TO, rule).into());
                }
                self.mark_read_up_to(who, id, up_to).await
            }
            nothing_to_store => {
                policy::authorize(who, &Action::MarkRead(&self.session(id).await?))?;
                nothing_to_store?;
                Ok(())
            }
        }
    }
}
