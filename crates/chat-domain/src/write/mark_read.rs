//! Marks messages of the other side as read, all or nothing.

use std::collections::BTreeMap;

use super::{MarkRead, WriteBatch, receipts};
use crate::error::Result;
use crate::invalid::{FieldPath, Invalid};
use crate::model::{MessageId, Receipt, ReceiptStatus, Seq};
use crate::policy::{self, Action};

pub(super) fn decide(batch: &mut WriteBatch, write: &MarkRead) -> Result<Option<Receipt>> {
    let session = batch.session_for(write.session_id, &write.reader)?;
    policy::authorize(&write.reader, &Action::MarkRead(session))?;
    let reader = session.party_of(&write.reader.id);
    let mut unread: BTreeMap<Seq, MessageId> = BTreeMap::new();
    for (index, id) in write.messages.iter().enumerate() {
        let Some(message) = batch.facts.message(session.id, *id) else {
            return Err(Invalid::new(
                FieldPath::MESSAGE_IDS.at(index as u64),
                "must be the id of a message of this session",
            )
            .into());
        };
        if message.sender == reader.other() && !message.is_read {
            unread.insert(message.seq, *id);
        }
    }
    if unread.is_empty() {
        return Ok(None);
    }
    let session = session.clone().record_read(reader, unread.len() as u64, write.at);
    let found = unread.into_iter().collect();
    Ok(Some(receipts::receive(batch, session, &write.reader.id, ReceiptStatus::Read, found)))
}
