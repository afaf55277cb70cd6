//! `EventLog`: the durable changes of a session, put together from its messages and its other events.

use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::{Epoch, MessageId, Seq, SessionEvent, SessionId};
use chat_domain::ports::EventLog;
use chat_sql::{merge_events, seq_from_db, to_db};
use diesel::prelude::*;
use uuid::Uuid;

use crate::database::Database;
use crate::error::Failure;
use crate::rows::{EventRow, MessageRow};
use crate::schema::{chat_messages, chat_session_events, chat_sessions};
use crate::{attachments, epoch, get_messages, get_session};

/// Reads the past of sessions.
pub struct PgEventLog {
    pub(crate) database: Arc<Database>,
}

#[async_trait]
impl EventLog for PgEventLog {
    async fn head(&self, session: SessionId) -> Result<Option<Seq>> {
        self.database
            .read(move |connection| {
                let head = chat_sessions::table
                    .find(session.as_uuid())
                    .select(chat_sessions::last_seq)
                    .first(connection)
                    .optional()?;
                Ok(head.map(|head| seq_from_db("chat_sessions.last_seq", head)).transpose()?)
            })
            .await
    }

    async fn heads(&self, sessions: Vec<SessionId>) -> Result<Vec<(SessionId, Seq)>> {
        let wanted: Vec<Uuid> = sessions.iter().map(SessionId::as_uuid).collect();
        self.database.read(move |connection| heads(connection, &wanted)).await
    }

    async fn read(&self, session: SessionId, after: Seq, limit: u32) -> Result<Vec<SessionEvent>> {
        self.database.read(move |connection| events(connection, session, after, limit)).await
    }

    async fn position_of(&self, session: SessionId, message: MessageId) -> Result<Option<Seq>> {
        self.database.read(move |connection| get_messages::position_of(connection, session, message)).await
    }

    async fn epoch(&self) -> Result<Epoch> {
        self.database.read(epoch::current).await
    }
}

/// `= ANY` of an array gives each row once, however often its id is named.
fn heads(connection: &mut PgConnection, sessions: &[Uuid]) -> Result<Vec<(SessionId, Seq)>, Failure> {
    let rows: Vec<(Uuid, i64)> = chat_sessions::table
        .select((chat_sessions::id, chat_sessions::last_seq))
        .filter(chat_sessions::id.eq_any(sessions))
        .load(connection)?;
    let head = |(id, seq)| Ok((SessionId::new(id), seq_from_db("chat_sessions.last_seq", seq)?));
    rows.into_iter().map(head).collect()
}

/// The sequence is dense, so the next `limit` changes are those at the next `limit` positions, whichever table holds
/// each of them. They end at the position that the session was read at: what was committed by then is seen by every later
/// statement, so the statements need no transaction around them.
fn events(
    connection: &mut PgConnection,
    session_id: SessionId,
    after: Seq,
    limit: u32,
) -> Result<Vec<SessionEvent>, Failure> {
    let Some(session) = get_session::find(connection, session_id)? else { return Ok(Vec::new()) };
    let first = to_db(after.get()).saturating_add(1);
    let last = to_db(after.get()).saturating_add(i64::from(limit)).min(to_db(session.progress.last_seq.get()));
    let messages: Vec<(MessageRow, Option<String>)> = chat_messages::table
        .select((MessageRow::as_select(), chat_messages::idempotency_key))
        .filter(chat_messages::session_id.eq(session_id.as_uuid()))
        .filter(chat_messages::seq.between(first, last))
        .order(chat_messages::seq)
        .load(connection)?;
    let others: Vec<EventRow> = chat_session_events::table
        .select(EventRow::as_select())
        .filter(chat_session_events::session_id.eq(session_id.as_uuid()))
        .filter(chat_session_events::seq.between(first, last))
        .order(chat_session_events::seq)
        .load(connection)?;
    let (messages, keys): (Vec<_>, Vec<_>) = messages.into_iter().unzip();
    let messages = attachments::complete(connection, session_id, messages)?;
    let others: Result<Vec<SessionEvent>, Failure> = others.into_iter().map(|row| row.into_event(&session)).collect();
    Ok(merge_events(after, messages.into_iter().zip(keys), others?)?)
}
