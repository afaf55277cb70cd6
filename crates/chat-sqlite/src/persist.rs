//! Persists the effects of a batch: each session is written once, however many messages it got; the counters likewise.

use chat_domain::model::ReceiptStatus;
use chat_domain::write::{Effects, ReceiptEffect};
use chat_sql::{SessionCounts, to_db};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable};

use crate::error::Failure;
use crate::rows::{DetailsRow, NewAttachment, NewEvent, NewMessage, NewSessionRow, SaveProgress, StateUpdate};
use crate::schema::{chat_attachments, chat_messages, chat_orphans, chat_session_events, chat_sessions, chat_uploads};
use crate::values::DbId;
use crate::{counters, people};

/// How many messages one statement names: far below SQLite's limit of parameters, and few different statements.
const CHUNK: usize = 250;

pub(crate) fn effects(connection: &mut SqliteConnection, effects: &Effects) -> Result<(), Failure> {
    for (session, creation) in effects.opened_sessions() {
        let row = NewSessionRow::new(session, &creation.creator, creation.idempotency.as_ref());
        diesel::insert_into(chat_sessions::table).values(row).execute(connection)?;
    }
    for (_, effect) in effects.changed_sessions() {
        let row = chat_sessions::table.find(DbId::from(effect.after.id));
        if effect.changes_state() {
            require_one(diesel::update(row).set(StateUpdate::new(&effect.after)).execute(connection)?)?;
        }
        if effect.changes_details() {
            require_one(diesel::update(row).set(DetailsRow::new(&effect.after)).execute(connection)?)?;
        }
        if effect.changes_queue_place() {
            let place = chat_sessions::queue_place.eq(effect.after.queue_place());
            require_one(diesel::update(row).set(place).execute(connection)?)?;
        }
        require_one(SaveProgress::of(&effect.after).execute(connection)?)?;
    }
    for (message, key) in effects.messages() {
        diesel::insert_into(chat_messages::table).values(NewMessage::new(message, key)).execute(connection)?;
        for attachment in NewAttachment::of(message) {
            diesel::insert_into(chat_attachments::table).values(attachment).execute(connection)?;
        }
    }
    for event in effects.events() {
        if let Some(row) = NewEvent::new(event)? {
            diesel::insert_into(chat_session_events::table).values(row).execute(connection)?;
        }
    }
    effects.receipts().iter().try_for_each(|receipt| receive(connection, receipt))?;
    for file in effects.unmarked_files() {
        diesel::delete(chat_orphans::table.find(DbId::from(*file))).execute(connection)?;
    }
    for file in effects.sent_uploads() {
        if diesel::delete(chat_uploads::table.find(DbId::from(*file))).execute(connection)? != 1 {
            return Err(Failure::corrupt("chat_uploads.id", "a file that was loaded is not there"));
        }
    }
    effects.people().try_for_each(|person| people::put(connection, person))?;
    counters::add(connection, &SessionCounts::of(effects))?;
    counters::add_statistics(connection, &effects.statistics())?;
    Ok(())
}

/// Refuses a statement that was to update the row of a session, and did not update one.
fn require_one(updated: usize) -> Result<(), Failure> {
    if updated == 1 {
        Ok(())
    } else {
        Err(Failure::corrupt("chat_sessions.id", "a session that was loaded is not there"))
    }
}

/// Moves messages one stage further. What was read has been delivered.
fn receive(connection: &mut SqliteConnection, receipt: &ReceiptEffect) -> QueryResult<()> {
    use chat_messages::dsl;
    let at = receipt.at.unix_ms();
    let seqs: Vec<i64> = receipt.seqs.iter().map(|seq| to_db(seq.get())).collect();
    for chunk in seqs.chunks(CHUNK) {
        let rows = chat_messages::table
            .filter(dsl::session_id.eq(DbId::from(receipt.session_id)))
            .filter(dsl::seq.eq_any(chunk));
        match receipt.status {
            ReceiptStatus::Delivered => {
                diesel::update(rows).set(dsl::delivered_at.eq(at)).execute(connection)?;
            }
            ReceiptStatus::Read => {
                let delivered_at = sql::<Nullable<BigInt>>("coalesce(delivered_at, ").bind::<BigInt, _>(at).sql(")");
                let read = (dsl::read_at.eq(at), dsl::delivered_at.eq(delivered_at));
                diesel::update(rows).set(read).execute(connection)?;
            }
        }
    }
    Ok(())
}
