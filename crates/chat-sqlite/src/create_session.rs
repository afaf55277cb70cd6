//! Store a new session.

use chat_domain::model::{ChatSession, Idempotency, NewSession, Principal, UserId};
use chat_domain::ports::Opened;
use chat_sql::same_request;
use diesel::prelude::*;

use crate::error::Failure;
use crate::rows::{NewSessionRow, SessionRow};
use crate::schema::chat_sessions;
use crate::unit_of_work::UnitOfWork;

pub(crate) fn create(
    unit: &mut UnitOfWork,
    new: &NewSession,
    creator: &Principal,
    idempotency: Option<&Idempotency>,
) -> Result<Opened, Failure> {
    if let Some(idempotency) = idempotency
        && let Some(session) = opened_before(&mut unit.connection, &creator.id, idempotency)?
    {
        return Ok(Opened { session, replayed: true });
    }
    let session = ChatSession::open(new.clone());
    diesel::insert_into(chat_sessions::table)
        .values(NewSessionRow::new(&session, &creator.id, idempotency))
        .execute(&mut unit.connection)?;
    unit.opened(&session, creator.id.clone())?;
    Ok(Opened { session, replayed: false })
}

/// The session that an earlier request with this key opened.
fn opened_before(
    connection: &mut SqliteConnection,
    creator: &UserId,
    idempotency: &Idempotency,
) -> Result<Option<ChatSession>, Failure> {
    let known: Option<(SessionRow, Option<Vec<u8>>)> = chat_sessions::table
        .select((SessionRow::as_select(), chat_sessions::fingerprint))
        .filter(chat_sessions::created_by.eq(creator.as_str()))
        .filter(chat_sessions::idempotency_key.eq(idempotency.key.as_str()))
        .first(connection)
        .optional()?;
    let Some((row, fingerprint)) = known else { return Ok(None) };
    same_request(fingerprint.as_deref(), idempotency)?;
    Ok(Some(ChatSession::try_from(row)?.as_opened()))
}
