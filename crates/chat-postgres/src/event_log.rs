//! `EventLog`: the durable changes of a session, put together from its messages and its other events.

use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::{ChatSession, Epoch, MessageId, Seq, SessionEvent, SessionId};
use chat_domain::ports::{EventLog, LogLimit, LogPage};
use chat_sql::{LogSpan, PeopleMemory, WeighedChange, merge_events, seq_from_db};
use diesel::prelude::*;
use diesel::sql_types::{Integer, Text};
use uuid::Uuid;

use crate::database::Database;
use crate::error::Failure;
use crate::rows::{EventRow, MessageRow};
use crate::schema::{chat_messages, chat_session_events, chat_sessions};
use crate::{attachments, epoch, get_messages, get_session, people};

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

    async fn read(&self, session: SessionId, after: Seq, limit: LogLimit) -> Result<LogPage> {
        let memory = Arc::clone(&self.database.people);
        self.database.read(move |connection| page(connection, &memory, (session, after, limit))).await
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

/// The sequence is dense, so the next changes are those at the next positions, whichever table holds each of them. They
/// end at the position that the session was read at: what was committed by then is seen by every later statement, so the
/// statements need no transaction around them.
fn page(
    connection: &mut PgConnection,
    memory: &PeopleMemory,
    (session, after, limit): (SessionId, Seq, LogLimit),
) -> Result<LogPage, Failure> {
    let Some(session) = get_session::find(connection, session)? else { return Ok(LogPage::default()) };
    let mut span = LogSpan::new(session.id, after, limit, session.progress.last_seq);
    if span.needs_weighing() {
        span = span.weighed(weights(connection, &span)?);
    }
    let mut events = events(connection, &session, &span)?;
    memory.complete(&mut events, |unknown| people::find(connection, unknown))?;
    Ok(span.page(events))
}

diesel::define_sql_function! {
    /// How many bytes a text has; found without reading it.
    fn octet_length(text: Text) -> Integer;
}

/// Stands for the number of files of a change that is no message.
const NO_MESSAGE: i32 = -1;

/// What the changes weigh.
fn weights(connection: &mut PgConnection, span: &LogSpan) -> Result<Vec<WeighedChange>, Failure> {
    let id = span.session.as_uuid();
    let messages = chat_messages::table
        .select((chat_messages::seq, octet_length(chat_messages::content), chat_messages::attachment_count))
        .filter(chat_messages::session_id.eq(id))
        .filter(chat_messages::seq.between(span.first, span.last));
    let others = chat_session_events::table
        .select((chat_session_events::seq, octet_length(chat_session_events::data), NO_MESSAGE.into_sql::<Integer>()))
        .filter(chat_session_events::session_id.eq(id))
        .filter(chat_session_events::seq.between(span.first, span.last));
    // In one statement, as each takes a round trip.
    let rows: Vec<(i64, i32, i32)> = messages.union_all(others).load(connection)?;
    Ok(rows
        .into_iter()
        .map(|(seq, bytes, files)| match files {
            NO_MESSAGE => WeighedChange::event(seq, bytes),
            _ => WeighedChange::message(seq, bytes, files),
        })
        .collect())
}

fn events(connection: &mut PgConnection, session: &ChatSession, span: &LogSpan) -> Result<Vec<SessionEvent>, Failure> {
    let id = span.session.as_uuid();
    let messages: Vec<(MessageRow, Option<String>)> = chat_messages::table
        .select((MessageRow::as_select(), chat_messages::idempotency_key))
        .filter(chat_messages::session_id.eq(id))
        .filter(chat_messages::seq.between(span.first, span.last))
        .order(chat_messages::seq)
        .load(connection)?;
    let others: Vec<EventRow> = chat_session_events::table
        .select(EventRow::as_select())
        .filter(chat_session_events::session_id.eq(id))
        .filter(chat_session_events::seq.between(span.first, span.last))
        .order(chat_session_events::seq)
        .load(connection)?;
    let (messages, keys): (Vec<_>, Vec<_>) = messages.into_iter().unzip();
    let messages = attachments::complete(connection, span.session, messages)?;
    let others: Result<Vec<SessionEvent>, Failure> = others.into_iter().map(|row| row.into_event(session)).collect();
    Ok(merge_events(span.after, messages.into_iter().zip(keys), others?)?)
}
