//! Records that messages have reached a participant.

use super::{MarkUpTo, WriteBatch, receipts};
use crate::error::Result;
use crate::model::{Receipt, ReceiptStatus};

/// A delivery means something only for the owner and the assigned agent. From anyone else, and in an unknown session, it
/// is ignored.
pub(super) fn decide(batch: &mut WriteBatch, write: &MarkUpTo) -> Result<Option<Receipt>> {
    if batch.session(write.session_id).is_none() {
        return Ok(None);
    }
    let session = batch.session_for(write.session_id, &write.reader)?;
    let Some(receiver) = session.participant(&write.reader.id) else { return Ok(None) };
    Ok(receipts::mark_up_to(batch, write, receiver, ReceiptStatus::Delivered))
}
