//! `EventLog`: the durable changes of a session, put together from its messages and its other events.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::{ChatSession, Epoch, MessageId, Seq, SessionEvent, SessionId};
use chat_domain::ports::{EventLog, LogLimit, LogPage};
use chat_sql::{LogSpan, PeopleMemory, WeighedChange, merge_events, seq_from_db};
use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::database::Database;
use crate::error::Failure;
use crate::rows::{EventRow, MessageRow};
use crate::schema::{chat_messages, chat_session_events, chat_sessions};
use crate::values::DbId;
use crate::{attachments, epoch, get_messages, get_session, people};

/// How many sessions one statement names: far below SQLite's limit of parameters.
const CHUNK: usize = 250;

/// Reads the past of sessions.
pub struct SqliteEventLog {
    pub(crate) database: Arc<Database>,
}

#[async_trait]
impl EventLog for SqliteEventLog {
    async fn head(&self, session: SessionId) -> Result<Option<Seq>> {
        self.database
            .read(move |connection| {
                let head = chat_sessions::table
                    .find(DbId::from(session))
                    .select(chat_sessions::last_seq)
                    .first(connection)
                    .optional()?;
                Ok(head.map(|head| seq_from_db("chat_sessions.last_seq", head)).transpose()?)
            })
            .await
    }

    async fn heads(&self, sessions: Vec<SessionId>) -> Result<Vec<(SessionId, Seq)>> {
        let wanted: BTreeSet<SessionId> = sessions.into_iter().collect();
        let wanted: Vec<DbId> = wanted.into_iter().map(DbId::from).collect();
        self.database.read_snapshot(move |connection| heads(connection, &wanted)).await
    }

    async fn read(&self, session: SessionId, after: Seq, limit: LogLimit) -> Result<LogPage> {
        let memory = Arc::clone(&self.database.people);
        self.database.read_snapshot(move |connection| page(connection, &memory, (session, after, limit))).await
    }

    async fn position_of(&self, session: SessionId, message: MessageId) -> Result<Option<Seq>> {
        self.database.read(move |connection| get_messages::position_of(connection, session, message)).await
    }

    async fn epoch(&self) -> Result<Epoch> {
        self.database.read(epoch::current).await
    }
}

fn heads(connection: &mut SqliteConnection, sessions: &[DbId]) -> Result<Vec<(SessionId, Seq)>, Failure> {
    let mut heads = Vec::with_capacity(sessions.len());
    for chunk in sessions.chunks(CHUNK) {
        let rows: Vec<(DbId, i64)> = chat_sessions::table
            .select((chat_sessions::id, chat_sessions::last_seq))
            .filter(chat_sessions::id.eq_any(chunk))
            .load(connection)?;
        for (id, seq) in rows {
            heads.push((id.into(), seq_from_db("chat_sessions.last_seq", seq)?));
        }
    }
    Ok(heads)
}

/// The sequence is dense, so the next changes are those at the next positions, whichever table holds each of them.
fn page(
    connection: &mut SqliteConnection,
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

/// What the changes weigh.
fn weights(connection: &mut SqliteConnection, span: &LogSpan) -> Result<Vec<WeighedChange>, Failure> {
    let id = DbId::from(span.session);
    let messages = chat_messages::table
        .select((chat_messages::seq, octet_length(chat_messages::content), chat_messages::attachment_count))
        .filter(chat_messages::session_id.eq(id))
        .filter(chat_messages::seq.between(span.first, span.last));
    let others = chat_session_events::table
        .select((chat_session_events::seq, octet_length(chat_session_events::data)))
        .filter(chat_session_events::session_id.eq(id))
        .filter(chat_session_events::seq.between(span.first, span.last));
    let messages: Vec<(i64, i32, i32)> = messages.load(connection)?;
    let others: Vec<(i64, i32)> = others.load(connection)?;
    let messages = messages.into_iter().map(|(seq, bytes, files)| WeighedChange::message(seq, bytes, files));
    Ok(messages.chain(others.into_iter().map(|(seq, bytes)| WeighedChange::event(seq, bytes))).collect())
}

fn events(
    connection: &mut SqliteConnection,
    session: &ChatSession,
    span: &LogSpan,
) -> Result<Vec<SessionEvent>, Failure> {
    let id = DbId::from(span.session);
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
