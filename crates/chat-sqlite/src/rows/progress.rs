//! The counters of a session: the columns that every durable change moves.

use chat_domain::model::{ChatSession, Timestamp};
use chat_sql::{last_message_to_text, to_db};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Binary, Nullable, Text};
use diesel::sqlite::Sqlite;

use crate::schema::chat_sessions;
use crate::values::DbId;

/// The columns of `Progress` and `LatestActivity`.
#[derive(Insertable)]
#[diesel(table_name = chat_sessions, treat_none_as_default_value = false)]
pub(crate) struct ProgressColumns {
    last_seq: i64,
    message_count: i64,
    waiting_since: Option<i64>,
    unread_by_user: i64,
    unread_by_support: i64,
    user_delivered_seq: i64,
    support_delivered_seq: i64,
    user_read_seq: i64,
    support_read_seq: i64,
    last_event_at: i64,
    last_message: Option<String>,
    last_activity_at: Option<i64>,
    queue_place: Option<i64>,
}

impl ProgressColumns {
    pub(super) fn new(session: &ChatSession) -> Self {
        let progress = &session.progress;
        Self {
            last_seq: to_db(progress.last_seq.get()),
            message_count: to_db(progress.message_count),
            waiting_since: progress.waiting_since.map(Timestamp::unix_ms),
            unread_by_user: to_db(progress.unread_by_user),
            unread_by_support: to_db(progress.unread_by_support),
            user_delivered_seq: to_db(progress.user_delivered_seq.get()),
            support_delivered_seq: to_db(progress.support_delivered_seq.get()),
            user_read_seq: to_db(progress.user_read_seq.get()),
            support_read_seq: to_db(progress.support_read_seq.get()),
            last_event_at: progress.last_event_at.unix_ms(),
            last_message: last_message_to_text(session),
            last_activity_at: Some(session.latest.activity_at.unix_ms()),
            queue_place: session.queue_place(),
        }
    }
}

/// Writes the counters of a session back, the one statement that each message costs besides its own row. The place in the
/// queue is left out: SQLite writes an index again when one of its columns is set, also to the value that it has.
///
/// Written by hand because diesel prepares each `update` again, as its list of columns may differ from call to call,
/// and preparing takes longer than running. The text of this one is fixed, so it is prepared once.
pub(crate) struct SaveProgress {
    id: DbId,
    columns: ProgressColumns,
}

impl SaveProgress {
    pub(crate) fn of(session: &ChatSession) -> Self {
        Self { id: session.id.into(), columns: ProgressColumns::new(session) }
    }
}

impl QueryFragment<Sqlite> for SaveProgress {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        let columns = &self.columns;
        out.push_sql("UPDATE chat_sessions SET last_seq = ");
        out.push_bind_param::<BigInt, _>(&columns.last_seq)?;
        out.push_sql(", message_count = ");
        out.push_bind_param::<BigInt, _>(&columns.message_count)?;
        out.push_sql(", waiting_since = ");
        out.push_bind_param::<Nullable<BigInt>, _>(&columns.waiting_since)?;
        out.push_sql(", unread_by_user = ");
        out.push_bind_param::<BigInt, _>(&columns.unread_by_user)?;
        out.push_sql(", unread_by_support = ");
        out.push_bind_param::<BigInt, _>(&columns.unread_by_support)?;
        out.push_sql(", user_delivered_seq = ");
        out.push_bind_param::<BigInt, _>(&columns.user_delivered_seq)?;
        out.push_sql(", support_delivered_seq = ");
        out.push_bind_param::<BigInt, _>(&columns.support_delivered_seq)?;
        out.push_sql(", user_read_seq = ");
        out.push_bind_param::<BigInt, _>(&columns.user_read_seq)?;
        out.push_sql(", support_read_seq = ");
        out.push_bind_param::<BigInt, _>(&columns.support_read_seq)?;
        out.push_sql(", last_event_at = ");
        out.push_bind_param::<BigInt, _>(&columns.last_event_at)?;
        out.push_sql(", last_message = ");
        out.push_bind_param::<Nullable<Text>, _>(&columns.last_message)?;
        out.push_sql(", last_activity_at = ");
        out.push_bind_param::<Nullable<BigInt>, _>(&columns.last_activity_at)?;
        out.push_sql(" WHERE id = ");
        out.push_bind_param::<Binary, _>(&self.id)
    }
}

impl QueryId for SaveProgress {
    type QueryId = Self;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl RunQueryDsl<SqliteConnection> for SaveProgress {}
