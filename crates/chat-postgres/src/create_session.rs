//! Store a new session.

use chat_domain::model::{ChatSession, Idempotency, NewSession, Principal, UserId};
use chat_domain::ports::Opened;
use chat_sql::same_request;
use diesel::prelude::*;

use crate::error::Failure;
use crate::rows::{NewSessionRow, SessionRow};
use crate::schema::chat_sessions::{self, dsl};
use crate::unit_of_work::UnitOfWork;

pub(crate) fn create(
    unit: &mut UnitOfWork,
    new: &NewSession,
    creator: &Principal,
    idempotency: Option<&Idempotency>,
) -> Result<Opened, Failure> {
    if let Some(idempotency) = idempotency
        && let Some(session) = opened_before(unit.connection()?, &creator.id, idempotency)?
    {
        return Ok(Opened { session, replayed: true });
    }
    let session = ChatSession::open(new.clone());
    let row = NewSessionRow::new(&session, &creator.id, idempotency);
    // Another node may be opening a session under the same key: then this waits for it and inserts nothing.
    let inserted = diesel::insert_into(chat_sessions::table)
        .values(row)
        .on_conflict((dsl::created_by, dsl::idempotency_key))
        .filter_target(dsl::idempotency_key.is_not_null())
        .do_nothing()
        .execute(unit.connection()?)?;
    if inserted == 0
        && let Some(idempotency) = idempotency
    {
        let session = opened_before(unit.connection()?, &creator.id, idempotency)?;
        let session = session.ok_or_else(|| Failure::corrupt("chat_sessions.idempotency_key", "names no session"))?;
        return Ok(Opened { session, replayed: true });
    }
    unit.opened(&session, creator.id.clone());
    Ok(Opened { session, replayed: false })
}

/// The session that an earlier request with this key opened.
fn opened_before(
    connection: &mut PgConnection,
    creator: &UserId,
    idempotency: &Idempotency,
) -> Result<Option<ChatSession>, Failure> {
    let known: Option<(SessionRow, Option<Vec<u8>>)> = chat_sessions::table
        .select((SessionRow::as_select(), dsl::fingerprint))
        .filter(dsl::created_by.eq(creator.as_str()))
        .filter(dsl::idempotency_key.eq(idempotency.key.as_str()))
        .first(connection)
        .optional()?;
    let Some((row, fingerprint)) = known else { return Ok(None) };
    same_request(fingerprint.as_deref(), idempotency)?;
    Ok(Some(ChatSession::try_from(row)?.as_opened()))
}
