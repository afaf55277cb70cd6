//! Note that messages have reached a participant's device.

use super::ChatService;
use crate::error::Result;
use crate::model::{MAX_RECEIPT_MESSAGES, Principal, Seq, SessionId};

impl ChatService {
    /// Notes that everything up to `up_to` reached `who`: a client that receives live events has received the earlier ones. It means
    /// something only for the owner and the assigned agent; from anyone else, an onlooker, it is ignored.
    pub async fn mark_delivered(&self, who: &Principal, id: SessionId, up_to: Seq) -> Result<()> {
        self.require_access(who)?;
        let at = self.ports.clock.now();
        // One receipt has a bounded size, so a long absence takes several.
        while let Some(receipt) = self.ports.messages.mark_delivered(id, who.clone(), up_to, at).await? {
            if receipt.messages.len() < MAX_RECEIPT_MESSAGES {
                break;
            }
        }
        Ok(())
    }
}
