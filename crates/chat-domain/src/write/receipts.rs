//! What the marks have in common: which messages a receipt names, and how the session's watermarks follow.

use super::facts::span_up_to;
use super::{MarkUpTo, ReceiptEffect, WriteBatch};
use crate::model::{
    ChatSession, EventChange, MAX_RECEIPT_MESSAGES, MessageId, Party, Receipt, ReceiptStatus, Seq, StatisticsDelta,
    UserId,
};

/// How many positions are searched in vain before the watermark advances past them. This bounds what a search costs, and
/// most searches need not write.
const SEARCHED: u64 = MAX_RECEIPT_MESSAGES as u64;

/// Decides a mark of everything up to a position, for a person who may set it and acts for the side `reader`.
pub(super) fn mark_up_to(
    batch: &mut WriteBatch,
    write: &MarkUpTo,
    reader: Party,
    status: ReceiptStatus,
) -> Option<Receipt> {
    let session = batch.session(write.session_id)?;
    let (after, until) = span_up_to(session, reader, status, write.up_to)?;
    let unmarked = batch.facts.messages_between(session.id, after, until).filter(|message| {
        message.sender == reader.other()
            && match status {
                ReceiptStatus::Read => !message.is_read,
                ReceiptStatus::Delivered => !message.is_delivered,
            }
    });
    let found: Vec<(Seq, MessageId)> =
        unmarked.take(MAX_RECEIPT_MESSAGES).map(|message| (message.seq, message.id)).collect();
    let session = session.clone();
    let Some((newest, _)) = found.last().copied() else {
        if until.get().saturating_sub(after.get()) >= SEARCHED {
            batch.advance(match status {
                ReceiptStatus::Delivered => session.advance_delivery_watermark(reader, until),
                ReceiptStatus::Read => session.advance_read_watermark(reader, until),
            });
        }
        return None;
    };
    // A full receipt may have left messages behind it.
    let watermark = if found.len() < MAX_RECEIPT_MESSAGES { until } else { newest };
    let session = match status {
        ReceiptStatus::Delivered => session.record_delivery(reader, watermark, write.at),
        ReceiptStatus::Read => session.record_read_up_to(reader, found.len() as u64, watermark, write.at),
    };
    Some(receive(batch, session, &write.reader.id, status, found))
}

/// Takes over a receipt for these messages, which are in order and not none, and the session after it.
pub(super) fn receive(
    batch: &mut WriteBatch,
    session: ChatSession,
    reader: &UserId,
    status: ReceiptStatus,
    found: Vec<(Seq, MessageId)>,
) -> Receipt {
    let (seqs, messages): (Vec<Seq>, Vec<MessageId>) = found.into_iter().unzip();
    let up_to = seqs.last().copied().unwrap_or_default();
    let receipt = Receipt { reader: reader.clone(), status, up_to, messages };
    let at = session.progress.last_event_at;
    batch.receive(ReceiptEffect { session_id: session.id, status, seqs, at });
    batch.change(session, reader.clone(), EventChange::Receipt(receipt.clone()), &StatisticsDelta::default());
    receipt
}
