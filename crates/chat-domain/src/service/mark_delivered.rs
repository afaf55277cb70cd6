//! Note that messages have reached a participant's device.

use super::ChatService;
use crate::error::Result;
use crate::model::{Principal, Receipt, Seq, SessionId};

impl ChatService {
    /// Notes that everything up to `up_to` reached `who`. It means something only for the owner and the assigned
    /// agent; from anyone else, an onlooker, it is ignored.
    pub async fn mark_delivered(&self, who: &Principal, id: SessionId, up_to: Seq) -> Result<Option<Receipt>> {
        self.ports.messages.mark_delivered(id, who.clone(), up_to, self.ports.clock.now()).await
    }
}
