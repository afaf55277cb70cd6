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

use crate::error::Failure;
use crate::schema::chat_messages::{self, dsl};
use crate::unit_of_work::UnitOfWork;
use crate::values::{DbId, DbParty};

/// How many messages one statement names: far below SQLite's limit of parameters, and few different statements.
const CHUNK: usize = 250;

pub(crate) fn mark_read(
    unit: &mut UnitOfWork,
    session_id: SessionId,
    reader: &Principal,
    messages: &[MessageId],
    at: Timestamp,
) -> Result<Option<Receipt>, Failure> {
    let session = unit.session(session_id)?.ok_or(ChatError::NotFound(Resource::Session))?;
    unit.require_active(reader)?;
    policy::authorize(reader, &Action::MarkRead(&session))?;
    let (party, at) = (session.party_of(&reader.id), session.time_of_change(at));
    let known = look_up(&mut unit.connection, session_id, messages)?;
    let unread = unread_messages(messages, &known, party)?;
    let Some(newest) = unread.keys().next_back() else { return Ok(None) };
    let receipt = Receipt {
        reader: reader.id.clone(),
        status: ReceiptStatus::Read,
        up_to: seq_from_db("chat_messages.seq", *newest)?,
        messages: unread.values().copied().collect(),
    };
    let seqs: Vec<i64> = unread.into_keys().collect();
    store(&mut unit.connection, session_id, &seqs, at)?;
    let session = session.record_read(party, u64::try_from(seqs.len()).unwrap_or(u64::MAX), at);
    unit.changed(session, reader.id.clone(), Change::Receipt(receipt.clone()), StatisticsDelta::default())?;
    Ok(Some(receipt))
}

fn look_up(
    connection: &mut SqliteConnection,
    session_id: SessionId,
    messages: &[MessageId],
) -> QueryResult<HashMap<MessageId, KnownMessage>> {
    let mut known = HashMap::with_capacity(messages.len());
    for chunk in messages.chunks(CHUNK) {
        let rows: Vec<(DbId, i64, DbParty, Option<i64>)> = chat_messages::table
            .select((dsl::id, dsl::seq, dsl::sender, dsl::read_at))
            .filter(dsl::session_id.eq(DbId::from(session_id)))
            .filter(dsl::id.eq_any(chunk.iter().copied().map(DbId::from)))
            .load(connection)?;
        known.extend(rows.into_iter().map(|(id, seq, sender, read_at)| {
            (id.into(), KnownMessage { seq, sender: sender.0, read: read_at.is_some() })
        }));
    }
    Ok(known)
}

/// Marks the messages at some positions as read.
pub(crate) fn store(
    connection: &mut SqliteConnection,
    session_id: SessionId,
    seqs: &[i64],
    at: Timestamp,
) -> QueryResult<()> {
    for chunk in seqs.chunks(CHUNK) {
        let rows =
            chat_messages::table.filter(dsl::session_id.eq(DbId::from(session_id))).filter(dsl::seq.eq_any(chunk));
        // Reading implies that the message has arrived.
        let delivered_at = sql::<Nullable<BigInt>>("coalesce(delivered_at, ").bind::<BigInt, _>(at.unix_ms()).sql(")");
        diesel::update(rows)
            .set((dsl::read_at.eq(at.unix_ms()), dsl::delivered_at.eq(delivered_at)))
            .execute(connection)?;
    }
    Ok(())
}
