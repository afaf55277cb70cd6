//! Mark the other side's messages as read.

use std::collections::HashMap;

use chat_domain::ChatError;
use chat_domain::error::Resource;
use chat_domain::model::{Change, MessageId, Principal, Receipt, ReceiptStatus, SessionId, StatisticsDelta, Timestamp};
use chat_domain::policy::{self, Action};
use chat_sql::{KnownMessage, seq_from_db, unread_messages};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable};
use uuid::Uuid;

use crate::error::Failure;
use crate::schema::chat_messages::{self, dsl};
use crate::unit_of_work::UnitOfWork;
use crate::values::DbParty;

pub(crate) fn mark_read(
    unit: &mut UnitOfWork,
    session_id: SessionId,
    reader: &Principal,
    messages: &[MessageId],
    at: Timestamp,
) -> Result<Option<Receipt>, Failure> {
    let session = unit.session(session_id).ok_or(ChatError::NotFound(Resource::Session))?;
    unit.require_active(reader)?;
    policy::authorize(reader, &Action::MarkRead(&session))?;
    let (party, at) = (session.party_of(&reader.id), session.time_of_change(at));
    unit.flush()?;
    let known = look_up(unit.connection()?, session_id, messages)?;
    let unread = unread_messages(messages, &known, party)?;
    let Some(newest) = unread.keys().next_back() else { return Ok(None) };
    let receipt = Receipt {
        reader: reader.id.clone(),
        status: ReceiptStatus::Read,
        up_to: seq_from_db("chat_messages.seq", *newest)?,
        messages: unread.values().copied().collect(),
    };
    let seqs: Vec<i64> = unread.into_keys().collect();
    store(unit.connection()?, session_id, &seqs, at)?;
    let session = session.record_read(party, u64::try_from(seqs.len()).unwrap_or(u64::MAX), at);
    unit.changed(session, reader.id.clone(), Change::Receipt(receipt.clone()), StatisticsDelta::default());
    Ok(Some(receipt))
}

fn look_up(
    connection: &mut PgConnection,
    session_id: SessionId,
    messages: &[MessageId],
) -> QueryResult<HashMap<MessageId, KnownMessage>> {
    let ids: Vec<Uuid> = messages.iter().map(MessageId::as_uuid).collect();
    let rows: Vec<(Uuid, i64, DbParty, Option<i64>)> = chat_messages::table
        .select((dsl::id, dsl::seq, dsl::sender, dsl::read_at))
        .filter(dsl::session_id.eq(session_id.as_uuid()))
        .filter(dsl::id.eq_any(ids))
        .load(connection)?;
    let known = |(id, seq, sender, read_at): (Uuid, i64, DbParty, Option<i64>)| {
        (MessageId::new(id), KnownMessage { seq, sender: sender.0, read: read_at.is_some() })
    };
    Ok(rows.into_iter().map(known).collect())
}

/// Marks the messages at some positions as read.
pub(crate) fn store(
    connection: &mut PgConnection,
    session_id: SessionId,
    seqs: &[i64],
    at: Timestamp,
) -> QueryResult<()> {
    let rows = chat_messages::table.filter(dsl::session_id.eq(session_id.as_uuid())).filter(dsl::seq.eq_any(seqs));
    // Reading implies that the message has arrived.
    let delivered_at = sql::<Nullable<BigInt>>("coalesce(delivered_at, ").bind::<BigInt, _>(at.unix_ms()).sql(")");
    diesel::update(rows)
        .set((dsl::read_at.eq(at.unix_ms()), dsl::delivered_at.eq(delivered_at)))
        .execute(connection)?;
    Ok(())
}
