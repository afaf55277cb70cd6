//! Read sessions.

use chat_domain::model::{ChatSession, SessionId};
use diesel::prelude::*;
use uuid::Uuid;

use crate::error::Failure;
use crate::rows::SessionRow;
use crate::schema::chat_sessions;

/// The session of that id, if there is one.
pub(crate) fn find(connection: &mut PgConnection, id: SessionId) -> Result<Option<ChatSession>, Failure> {
    let row: Option<SessionRow> =
        chat_sessions::table.find(id.as_uuid()).select(SessionRow::as_select()).first(connection).optional()?;
    row.map(ChatSession::try_from).transpose()
}

/// The sessions that there are of some ids, in no order, by one statement however many they are.
pub(crate) fn find_many(connection: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<ChatSession>, Failure> {
    let rows: Vec<SessionRow> =
        chat_sessions::table.select(SessionRow::as_select()).filter(chat_sessions::id.eq_any(ids)).load(connection)?;
    rows.into_iter().map(ChatSession::try_from).collect()
}

/// The sessions that there are of some ids, locked until the transaction ends, except those that another transaction has
/// locked: without waiting there is no deadlock.
pub(crate) fn lock_many(connection: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<ChatSession>, Failure> {
    let rows: Vec<SessionRow> = chat_sessions::table
        .select(SessionRow::as_select())
        .filter(chat_sessions::id.eq_any(ids))
        .for_update()
        .skip_locked()
        .load(connection)?;
    rows.into_iter().map(ChatSession::try_from).collect()
}

/// The same, but waits for those that another transaction has locked. All who wait lock in the order of the ids, so that two
/// batches with the same sessions do not deadlock.
pub(crate) fn lock_many_waiting(connection: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<ChatSession>, Failure> {
    let rows: Vec<SessionRow> = chat_sessions::table
        .select(SessionRow::as_select())
        .filter(chat_sessions::id.eq_any(ids))
        .order(chat_sessions::id)
        .for_update()
        .load(connection)?;
    rows.into_iter().map(ChatSession::try_from).collect()
}

/// Which of some ids are those of sessions.
pub(crate) fn existing(connection: &mut PgConnection, ids: &[Uuid]) -> QueryResult<Vec<Uuid>> {
    chat_sessions::table.select(chat_sessions::id).filter(chat_sessions::id.eq_any(ids)).load(connection)
}
