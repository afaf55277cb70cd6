//! Mark everything up to a position as read.

use super::ChatService;
use crate::error::Result;
use crate::model::{MAX_RECEIPT_MESSAGES, Principal, Seq, SessionId};

impl ChatService {
    /// Marks everything of the other side up to `up_to` as read; doing it again changes nothing.
    pub async fn mark_read_up_to(&self, who: &Principal, id: SessionId, up_to: Seq) -> Result<()> {
        self.require_access(who)?;
        let at = self.ports.clock.now();
        // One receipt has a bounded size, so a long absence takes several.
        while let Some(receipt) = self.ports.messages.mark_read_up_to(id, who.clone(), up_to, at).await? {
            if receipt.messages.len() < MAX_RECEIPT_MESSAGES {
                break;
            }
        }
        Ok(())
    }
}
