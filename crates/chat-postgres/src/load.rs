//! Loads the facts of a batch with locks: one statement for each kind of fact, whatever the size of the batch.

use chat_domain::model::{
    AttachmentId, ChatMessage, ChatSession, Fingerprint, IdempotencyKey, MessageId, ReceiptStatus, SessionId, UserId,
};
use chat_domain::write::{Facts, LockSet, MessagesNeeded, SessionWrite};
use chat_sql::{LockMode, fingerprint_from_db, known_message, to_db, valid};
use diesel::prelude::*;
use diesel::sql_types::{Array, Text};
use uuid::Uuid;

use crate::error::Failure;
use crate::rows::SessionRow;
use crate::schema::{chat_agents, chat_messages, chat_orphans, chat_sessions};
use crate::statements::FindMessagesByKeys;
use crate::values::DbParty;
use crate::{advisory_locks, counters, get_messages, get_session, uploads};

/// The facts of a batch, in a transaction that has begun.
pub(crate) fn facts(
    connection: &mut PgConnection,
    writes: &[&SessionWrite],
    locks: &LockSet<'_>,
    mode: LockMode,
) -> Result<Facts, Failure> {
    let mut facts = Facts::default();
    add_sessions(connection, &mut facts, locks, mode)?;
    add_opened(connection, &mut facts, locks)?;
    add_open_sessions(connection, &mut facts, locks, mode)?;
    // After the locks, since waiting for them may take long.
    add_agents(connection, &mut facts, locks)?;
    add_appended(connection, &mut facts, locks)?;
    add_orphans(connection, &mut facts, locks)?;
    add_uploads(connection, &mut facts, locks)?;
    for needed in facts.messages_needed(writes) {
        add_messages(connection, &mut facts, needed)?;
    }
    Ok(facts)
}

fn add_sessions(
    connection: &mut PgConnection,
    facts: &mut Facts,
    locks: &LockSet<'_>,
    mode: LockMode,
) -> Result<(), Failure> {
    let mut ids: Vec<Uuid> = locks.sessions.iter().map(SessionId::as_uuid).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let locked = if mode == LockMode::Wait {
        get_session::lock_many_waiting(connection, &ids)?
    } else {
        get_session::lock_many(connection, &ids)?
    };
    for session in locked {
        ids.retain(|id| *id != session.id.as_uuid());
        facts.add_session(session);
    }
    if !ids.is_empty() {
        // Another transaction has locked them, unless no sessions have these ids.
        let blocked = get_session::existing(connection, &ids)?;
        for id in blocked {
            facts.add_blocked_session(SessionId::new(id));
        }
    }
    Ok(())
}

/// The sessions that were opened under the batch's keys. The keys are locked first, in their order: a transaction that
/// opens a session under the same key on another node is waited for, and two batches do not deadlock.
fn add_opened(connection: &mut PgConnection, facts: &mut Facts, locks: &LockSet<'_>) -> Result<(), Failure> {
    if locks.session_keys.is_empty() {
        return Ok(());
    }
    let names: Vec<String> =
        locks.session_keys.iter().map(|(creator, key)| format!("{}\n{}", creator.as_str(), key.as_str())).collect();
    diesel::sql_query("SELECT pg_advisory_xact_lock(hashtextextended(key, 0)) FROM unnest($1) AS key")
        .bind::<Array<Text>, _>(names)
        .execute(connection)?;
    for (creator, key) in &locks.session_keys {
        if let Some((fingerprint, session)) = opened(connection, creator, key)? {
            facts.add_opened((*creator).clone(), (*key).clone(), fingerprint, &session);
        }
    }
    Ok(())
}

fn opened(
    connection: &mut PgConnection,
    creator: &UserId,
    key: &IdempotencyKey,
) -> Result<Option<(Fingerprint, ChatSession)>, Failure> {
    use chat_sessions::dsl;
    let found: Option<(SessionRow, Option<Vec<u8>>)> = chat_sessions::table
        .select((SessionRow::as_select(), dsl::fingerprint))
        .filter(dsl::created_by.eq(creator.as_str()))
        .filter(dsl::idempotency_key.eq(key.as_str()))
        .first(connection)
        .optional()?;
    let Some((row, fingerprint)) = found else { return Ok(None) };
    let fingerprint = fingerprint_from_db("chat_sessions.fingerprint", fingerprint)?;
    Ok(Some((fingerprint, row.try_into()?)))
}

/// How many sessions the batch's limited customers have open. Each customer is locked first, so that no other node
/// opens one of theirs before the commit. Two batches do not deadlock: the mode `SkipLocked` skips customers that
/// another transaction has locked, and nothing else is waited for after this.
fn add_open_sessions(
    connection: &mut PgConnection,
    facts: &mut Facts,
    locks: &LockSet<'_>,
    mode: LockMode,
) -> Result<(), Failure> {
    if locks.limited_owners.is_empty() {
        return Ok(());
    }
    let owners: Vec<&str> = locks.limited_owners.iter().map(|owner| owner.as_str()).collect();
    let locked = advisory_locks::people(connection, "session ", &owners, mode)?;
    let open = counters::open_sessions(connection, &owners)?;
    for owner in &locks.limited_owners {
        if locked.contains(owner.as_str()) {
            facts.add_open_sessions((*owner).clone(), open.get(owner.as_str()).copied().unwrap_or(0));
        } else {
            facts.add_blocked_owner((*owner).clone());
        }
    }
    Ok(())
}

fn add_agents(connection: &mut PgConnection, facts: &mut Facts, locks: &LockSet<'_>) -> Result<(), Failure> {
    let agents = locks.agents();
    if agents.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = agents.iter().map(|agent| agent.as_str()).collect();
    let rows: Vec<(String, bool)> = chat_agents::table
        .select((chat_agents::id, chat_agents::active))
        .filter(chat_agents::id.eq_any(ids))
        .load(connection)?;
    for agent in agents {
        if let Some((_, is_active)) = rows.iter().find(|(id, _)| id == agent.as_str()) {
            facts.add_agent(agent.clone(), *is_active);
        }
    }
    Ok(())
}

/// The messages that were appended under the batch's keys. Few keys have any, so these are read one by one.
fn add_appended(connection: &mut PgConnection, facts: &mut Facts, locks: &LockSet<'_>) -> Result<(), Failure> {
    let mut keys = FindMessagesByKeys::default();
    locks.message_keys.iter().for_each(|(session, author, key)| keys.key(*session, author, key));
    for (session, seq, _, key, fingerprint) in keys.run(connection)? {
        let key = valid("chat_messages.idempotency_key", IdempotencyKey::parse(&key))?;
        let fingerprint = fingerprint_from_db("chat_messages.fingerprint", Some(fingerprint))?;
        let message: Option<ChatMessage> = get_messages::at(connection, SessionId::new(session), seq)?;
        let message = message.ok_or_else(|| Failure::corrupt("chat_messages.seq", "names no message"))?;
        facts.add_appended(key, fingerprint, message);
    }
    Ok(())
}

fn add_orphans(connection: &mut PgConnection, facts: &mut Facts, locks: &LockSet<'_>) -> Result<(), Failure> {
    if locks.files.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = locks.files.iter().map(AttachmentId::as_uuid).collect();
    let rows: Vec<(Uuid, Option<i64>)> = chat_orphans::table
        .select((chat_orphans::id, chat_orphans::condemned_at))
        .filter(chat_orphans::id.eq_any(ids))
        .load(connection)?;
    for (id, condemned_at) in rows {
        facts.add_orphan(AttachmentId::new(id), condemned_at.is_some());
    }
    Ok(())
}

fn add_uploads(connection: &mut PgConnection, facts: &mut Facts, locks: &LockSet<'_>) -> Result<(), Failure> {
    if locks.uploads.is_empty() {
        return Ok(());
    }
    let ids = locks.uploads.iter().map(AttachmentId::as_uuid).collect();
    uploads::lock(connection, ids)?.into_iter().for_each(|upload| facts.add_upload(upload));
    Ok(())
}

/// A message as a receipt needs it: position, id, sender, and when it was delivered and read.
type ReceiptMessageRow = (i64, Uuid, DbParty, Option<i64>, Option<i64>);

fn add_messages(connection: &mut PgConnection, facts: &mut Facts, needed: MessagesNeeded) -> Result<(), Failure> {
    use chat_messages::dsl;
    let of_session = |session_id: SessionId| {
        chat_messages::table
            .select((dsl::seq, dsl::id, dsl::sender, dsl::delivered_at, dsl::read_at))
            .filter(dsl::session_id.eq(session_id.as_uuid()))
    };
    let (session_id, rows): (SessionId, Vec<ReceiptMessageRow>) = match needed {
        MessagesNeeded::Named { session_id, ids } => {
            let ids: Vec<Uuid> = ids.iter().map(MessageId::as_uuid).collect();
            (session_id, of_session(session_id).filter(dsl::id.eq_any(ids)).load(connection)?)
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
            (session_id, rows)
        }
    };
    for (seq, id, sender, delivered_at, read_at) in rows {
        let message = known_message((seq, id, sender.0, delivered_at, read_at))?;
        facts.add_message(session_id, message);
    }
    Ok(())
}
