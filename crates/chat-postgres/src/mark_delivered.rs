//! Note that messages have reached a participant.

use chat_domain::model::{
    Change, MAX_RECEIPT_MESSAGES, MessageId, Principal, Receipt, ReceiptStatus, Seq, SessionId, StatisticsDelta,
    Timestamp,
};
use chat_sql::{seq_from_db, to_db};
use diesel::prelude::*;
use uuid::Uuid;

use crate::error::Failure;
use crate::schema::chat_messages::{self, dsl};
use crate::unit_of_work::UnitOfWork;
use crate::values::DbParty;

pub(crate) fn mark_delivered(
    unit: &mut UnitOfWork,
    session_id: SessionId,
    receiver: &Principal,
    up_to: Seq,
    at: Timestamp,
) -> Result<Option<Receipt>, Failure> {
    let Some(session) = unit.session(session_id) else { return Ok(None) };
    let Some(party) = session.participant(&receiver.id) else { return Ok(None) };
    // Nobody has received what has not happened yet.
    let up_to = up_to.min(session.progress.last_seq);
    let before = session.delivered_to(party);
    if up_to <= before {
        return Ok(None);
    }
    unit.flush()?;
    let connection = unit.connection()?;
    let arrived = chat_messages::table
        .filter(dsl::session_id.eq(session_id.as_uuid()))
        .filter(dsl::seq.gt(to_db(before.get())))
        .filter(dsl::seq.le(to_db(up_to.get())))
        .filter(dsl::sender.eq(DbParty(party.other())))
        .filter(dsl::delivered_at.is_null());
    let limit = i64::try_from(MAX_RECEIPT_MESSAGES).unwrap_or(i64::MAX);
    let messages: Vec<(i64, Uuid)> =
        arrived.select((dsl::seq, dsl::id)).order(dsl::seq).limit(limit).load(connection)?;
    let Some((newest, _)) = messages.last() else { return Ok(None) };
    let is_all = messages.len() < MAX_RECEIPT_MESSAGES;
    let receipt = Receipt {
        reader: receiver.id.clone(),
        status: ReceiptStatus::Delivered,
        up_to: seq_from_db("chat_messages.seq", *newest)?,
        messages: messages.iter().map(|(_, id)| MessageId::new(*id)).collect(),
    };
    let named = arrived.filter(dsl::seq.le(*newest));
    diesel::update(named).set(dsl::delivered_at.eq(at.unix_ms())).execute(connection)?;
    let session = session.record_delivery(party, if is_all { up_to } else { receipt.up_to });
    unit.changed(session, at, receiver.id.clone(), Change::Receipt(receipt.clone()), StatisticsDelta::default());
    Ok(Some(receipt))
}
