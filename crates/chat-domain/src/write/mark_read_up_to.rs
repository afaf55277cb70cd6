//! Marks everything of the other side up to a position as read.

use super::{MarkUpTo, WriteBatch, receipts};
use crate::error::Result;
use crate::model::{Receipt, ReceiptStatus};
use crate::policy::{self, Action};

pub(super) fn decide(batch: &mut WriteBatch, write: &MarkUpTo) -> Result<Option<Receipt>> {
    let session = batch.session_for(write.session_id, &write.reader)?;
    policy::authorize(&write.reader, &Action::MarkRead(session))?;
    let reader = session.party_of(&write.reader.id);
    Ok(receipts::mark_up_to(batch, write, reader, ReceiptStatus::Read))
}
