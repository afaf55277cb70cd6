//! Loads the facts of a batch. Inside one process a statement costs no round trip, so each fact has its own.

use chat_domain::model::{ChatMessage, ChatSession, Fingerprint, IdempotencyKey, ReceiptStatus, SessionId, UserId};
use chat_domain::write::{Facts, LockSet, MessagesNeeded, SessionWrite};
use chat_sql::{fingerprint_from_db, known_message, to_db};
use diesel::prelude::*;

use crate::error::Failure;
use crate::rows::{MessageRow, SessionRow};
use crate::schema::{chat_agents, chat_messages, chat_orphans, chat_sessions};
use crate::values::{DbId, DbParty};
use crate::{attachments, counters, get_session, uploads};

/// How many messages one statement names: far below SQLite's limit of parameters, and few different statements.
const CHUNK: usize = 250;

pub(crate) fn facts(
    connection: &mut SqliteConnection,
    writes: &[&SessionWrite],
    locks: &LockSet<'_>,
) -> Result<Facts, Failure> {
    let mut facts = Facts::default();
    for id in &locks.sessions {
        if let Some(session) = get_session::find(connection, *id)? {
            facts.add_session(session);
        }
    }
    for id in locks.agents() {
        let row = chat_agents::table.find(id.as_str()).select(chat_agents::active);
        let is_active: Option<bool> = row.first(connection).optional()?;
        if let Some(is_active) = is_active {
            facts.add_agent(id.clone(), is_active);
        }
    }
    for (creator, key) in &locks.session_keys {
        if let Some((fingerprint, session)) = opened(connection, creator, key)? {
            facts.add_opened((*creator).clone(), (*key).clone(), fingerprint, &session);
        }
    }
    for owner in &locks.limited_owners {
        facts.add_open_sessions((*owner).clone(), counters::open_sessions(connection, owner)?);
    }
    for (session_id, author, key) in &locks.message_keys {
        if let Some((fingerprint, message)) = appended(connection, *session_id, author, key)? {
            facts.add_appended((*key).clone(), fingerprint, message);
        }
    }
    for file in &locks.files {
        let row = chat_orphans::table.find(DbId::from(*file)).select(chat_orphans::condemned_at);
        let condemned_at: Option<Option<i64>> = row.first(connection).optional()?;
        if let Some(condemned_at) = condemned_at {
            facts.add_orphan(*file, condemned_at.is_some());
        }
    }
    for file in &locks.uploads {
        if let Some(upload) = uploads::find(connection, *file)? {
            facts.add_upload(upload);
        }
    }
    for needed in facts.messages_needed(writes) {
        add_messages(connection, &mut facts, needed)?;
    }
    Ok(facts)
}

/// The session that an earlier request opened under this key.
fn opened(
    connection: &mut SqliteConnection,
    creator: &UserId,
    key: &IdempotencyKey,
) -> Result<Option<(Fingerprint, ChatSession)>, Failure> {
    let found: Option<(SessionRow, Option<Vec<u8>>)> = chat_sessions::table
        .select((SessionRow::as_select(), chat_sessions::fingerprint))
        .filter(chat_sessions::created_by.eq(creator.as_str()))
        .filter(chat_sessions::idempotency_key.eq(key.as_str()))
        .first(connection)
        .optional()?;
    let Some((row, fingerprint)) = found else { return Ok(None) };
    Ok(Some((fingerprint_from_db("chat_sessions.fingerprint", fingerprint)?, row.try_into()?)))
}

/// The message that an earlier request appended under this key.
fn appended(
    connection: &mut SqliteConnection,
    session_id: SessionId,
    author: &UserId,
    key: &IdempotencyKey,
) -> Result<Option<(Fingerprint, ChatMessage)>, Failure> {
    let found: Option<(MessageRow, Option<Vec<u8>>)> = chat_messages::table
        .select((MessageRow::as_select(), chat_messages::fingerprint))
        .filter(chat_messages::session_id.eq(DbId::from(session_id)))
        .filter(chat_messages::author_id.eq(author.as_str()))
        .filter(chat_messages::idempotency_key.eq(key.as_str()))
        .first(connection)
        .optional()?;
    let Some((row, fingerprint)) = found else { return Ok(None) };
    let fingerprint = fingerprint_from_db("chat_messages.fingerprint", fingerprint)?;
    let message = attachments::complete(connection, session_id, vec![row])?.pop();
    Ok(message.map(|message| (fingerprint, message)))
}

/// A message as a receipt needs it: position, id, sender, and when it was delivered and read.
type ReceiptMessageRow = (i64, DbId, DbParty, Option<i64>, Option<i64>);

fn add_messages(connection: &mut SqliteConnection, facts: &mut Facts, needed: MessagesNeeded) -> Result<(), Failure> {
    use chat_messages::dsl;
    let of_session = |session_id: SessionId| {
        chat_messages::table
            .select((dsl::seq, dsl::id, dsl::sender, dsl::delivered_at, dsl::read_at))
            .filter(dsl::session_id.eq(DbId::from(session_id)))
    };
    match needed {
        MessagesNeeded::Named { session_id, ids } => {
            for chunk in ids.chunks(CHUNK) {
                let ids = chunk.iter().copied().map(DbId::from);
                let rows = of_session(session_id).filter(dsl::id.eq_any(ids)).load(connection)?;
                add_rows(facts, session_id, rows)?;
            }
        }
        MessagesNeeded::NotYet { session_id, sender, status, after, up_to, limit } => {
            let rows = of_session(session_id)
                .filter(dsl::seq.gt(to_db(after.get())))
                .filter(dsl::seq.le(to_db(up_to.get())))
                .filter(dsl::sender.eq(DbParty(sender)))
                .order(dsl::seq)
                .limit(i64::try_from(limit).unwrap_or(i64::MAX));
            let rows = match status {
                ReceiptStatus::Delivered => rows.filter(dsl::delivered_at.is_null()).load(connection)?,
                ReceiptStatus::Read => rows.filter(dsl::read_at.is_null()).load(connection)?,
            };
            add_rows(facts, session_id, rows)?;
        }
    }
    Ok(())
}

fn add_rows(facts: &mut Facts, session_id: SessionId, rows: Vec<ReceiptMessageRow>) -> Result<(), Failure> {
    for (seq, id, sender, delivered_at, read_at) in rows {
        let message = known_message((seq, id.0, sender.0, delivered_at, read_at))?;
        facts.add_message(session_id, message);
    }
    Ok(())
}
