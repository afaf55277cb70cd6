//! Persists the effects of a batch: one statement a table, whatever the size of the batch, but for new sessions.

use std::collections::HashSet;

use chat_domain::model::{AttachmentId, ReceiptStatus, SessionId};
use chat_domain::write::{Effects, LockSet, ReceiptEffect};
use chat_sql::{SessionCounts, to_db};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable};
use uuid::Uuid;

use crate::error::Failure;
use crate::rows::{DetailsRow, NewAttachment, NewSessionRow};
use crate::schema::{chat_attachments, chat_messages, chat_orphans, chat_sessions, chat_uploads};
use crate::statements::{AddToCounts, AddToStatistics, AdvanceSessions, InsertEvents, PutPeople, UpdateStates};

/// Persists messages that were decided without locks, and commits them. Returns the sessions that were skipped: they are
/// no longer as the facts had them, or an agent who writes in them is deactivated. All are when there are people to write.
pub(crate) fn optimistic(
    connection: &mut PgConnection,
    writer: i32,
    effects: &Effects,
    locks: &LockSet<'_>,
) -> Result<HashSet<SessionId>, Failure> {
    // People are written under locks: the statement has no room for them, and few batches have any.
    if effects.people().len() > 0 {
        return Ok(effects.changed_sessions().map(|(session, _)| session.id).collect());
    }
    let mut statement = AdvanceSessions::new(writer, effects);
    if statement.is_empty() {
        return Ok(HashSet::new());
    }
    locks.writing_agents.iter().for_each(|(session, agent)| statement.agent(*session, agent));
    let moved = statement.run(connection)?;
    // The statement returns each session once, so that equal numbers mean that all have moved.
    if moved.len() == effects.changed_sessions().count() {
        return Ok(HashSet::new());
    }
    let moved: HashSet<SessionId> = moved.into_iter().map(SessionId::new).collect();
    let changed = effects.changed_sessions().map(|(session, _)| session.id);
    Ok(changed.filter(|session| !moved.contains(session)).collect())
}

/// Persists effects that were decided with locks. The caller commits.
pub(crate) fn effects(connection: &mut PgConnection, writer: i32, effects: &Effects) -> Result<(), Failure> {
    // One by one: a statement of one row is prepared once, and few batches open several sessions.
    for (session, creation) in effects.opened_sessions() {
        let row = NewSessionRow::new(session, &creation.creator, creation.idempotency.as_ref());
        diesel::insert_into(chat_sessions::table).values(row).execute(connection)?;
    }
    let statement = AdvanceSessions::new(writer, effects);
    if !statement.is_empty() && statement.run(connection)?.len() != effects.changed_sessions().count() {
        return Err(Failure::corrupt("chat_sessions.last_seq", "or what else decides moved under the lock of its row"));
    }
    let files: Vec<NewAttachment<'_>> =
        effects.messages().flat_map(|(message, _)| NewAttachment::of(message)).collect();
    if !files.is_empty() {
        diesel::insert_into(chat_attachments::table).values(files).execute(connection)?;
    }
    let mut events = InsertEvents::default();
    effects.events().iter().try_for_each(|event| events.event(event))?;
    events.run(connection)?;
    effects.receipts().iter().try_for_each(|receipt| receive(connection, receipt))?;
    let mut states = UpdateStates::default();
    let changed = effects.changed_sessions().filter(|(_, effect)| effect.changes_state());
    changed.for_each(|(_, effect)| states.session(&effect.after));
    if !states.run(connection)? {
        return Err(Failure::corrupt("chat_sessions.id", "a session was removed under the lock of its row"));
    }
    // One by one: few batches have one.
    for (_, effect) in effects.changed_sessions().filter(|(_, effect)| effect.changes_details()) {
        let row = chat_sessions::table.find(effect.after.id.as_uuid());
        if diesel::update(row).set(DetailsRow::new(&effect.after)).execute(connection)? != 1 {
            return Err(Failure::corrupt("chat_sessions.id", "a session was removed under the lock of its row"));
        }
    }
    if !effects.unmarked_files().is_empty() {
        let ids: Vec<Uuid> = effects.unmarked_files().iter().map(AttachmentId::as_uuid).collect();
        diesel::delete(chat_orphans::table.filter(chat_orphans::id.eq_any(ids))).execute(connection)?;
    }
    if !effects.sent_uploads().is_empty() {
        let ids: Vec<Uuid> = effects.sent_uploads().iter().map(AttachmentId::as_uuid).collect();
        let sent = chat_uploads::table.filter(chat_uploads::id.eq_any(ids));
        if diesel::delete(sent).execute(connection)? != effects.sent_uploads().len() {
            return Err(Failure::corrupt("chat_uploads.id", "of a message was removed under the lock of its row"));
        }
    }
    AddToCounts::new(writer, &SessionCounts::of(effects)).run(connection)?;
    AddToStatistics::new(writer, &effects.statistics()).run(connection)?;
    // Last, so that no transaction waits long for another that has met the same person, and none in a circle.
    let mut people = PutPeople::default();
    effects.people().for_each(|person| people.person(person));
    people.run(connection)?;
    Ok(())
}

/// Moves messages one stage further. What was read has been delivered.
fn receive(connection: &mut PgConnection, receipt: &ReceiptEffect) -> QueryResult<()> {
    use chat_messages::dsl;
    let at = receipt.at.unix_ms();
    let seqs: Vec<i64> = receipt.seqs.iter().map(|seq| to_db(seq.get())).collect();
    let rows =
        chat_messages::table.filter(dsl::session_id.eq(receipt.session_id.as_uuid())).filter(dsl::seq.eq_any(seqs));
    match receipt.status {
        ReceiptStatus::Delivered => diesel::update(rows).set(dsl::delivered_at.eq(at)).execute(connection)?,
        ReceiptStatus::Read => {
            let delivered_at = sql::<Nullable<BigInt>>("coalesce(delivered_at, ").bind::<BigInt, _>(at).sql(")");
            diesel::update(rows).set((dsl::read_at.eq(at), dsl::delivered_at.eq(delivered_at))).execute(connection)?
        }
    };
    Ok(())
}
