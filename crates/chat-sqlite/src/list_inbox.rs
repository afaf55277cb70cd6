//! Read a page of an inbox. Each range of a view is a walk along an index from the place of the page on.

use chat_domain::inbox::{
    ActiveSession, InboxPage, InboxQuery, InboxRange, InboxSource, MAX_ACTIVE, read_active, read_ended,
};
use chat_domain::model::{ChatSession, Party, Seq, SessionId, SessionStatus};
use chat_domain::ports::MAX_ENDED;
use chat_sql::{RangeConditions, Scope, from_db, range_conditions, show_newest, to_db};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Bool, Text};
use uuid::Uuid;

use crate::error::Failure;
use crate::rows::{MessageRow, SessionRow};
use crate::schema::{chat_messages, chat_sessions};
use crate::values::DbId;
use crate::{counters, get_session};

/// Reads the page, in a transaction that sees the database at one moment.
pub(crate) fn list(connection: &mut SqliteConnection, query: &InboxQuery) -> Result<InboxPage, Failure> {
    query.read(&mut SqliteInbox(connection))
}

/// The sessions of these ids, as an inbox shows them.
pub(crate) fn find_many(connection: &mut SqliteConnection, ids: &[SessionId]) -> Result<Vec<ChatSession>, Failure> {
    let found: Result<Vec<Option<ChatSession>>, Failure> =
        ids.iter().map(|id| get_session::find(connection, *id)).collect();
    let mut sessions: Vec<ChatSession> = found?.into_iter().flatten().collect();
    SqliteInbox(connection).complete(&mut sessions)?;
    Ok(sessions)
}

/// The active sessions of these ranges.
pub(crate) fn active(connection: &mut SqliteConnection, ranges: &[InboxRange]) -> Result<Vec<ActiveSession>, Failure> {
    read_active(ranges, &mut SqliteInbox(connection))
}

/// The sessions of a range that ended last.
pub(crate) fn ended(connection: &mut SqliteConnection, range: &InboxRange) -> Result<Vec<(SessionId, Seq)>, Failure> {
    read_ended(range, MAX_ENDED, &mut SqliteInbox(connection))
}

struct SqliteInbox<'c>(&'c mut SqliteConnection);

/// The moment by which a session is ordered, and its row.
type PlacedRow = (i64, SessionRow);

impl InboxSource for SqliteInbox<'_> {
    type Error = Failure;

    fn sessions(
        &mut self,
        range: &InboxRange,
        after: Option<(i64, SessionId)>,
        most: usize,
    ) -> Result<Vec<(i64, ChatSession)>, Failure> {
        let asked = range_conditions(range);
        let (at, id) = after.map_or((i64::MAX, DbId(Uuid::max())), |(at, id)| (at, id.into()));
        let after = sql::<Bool>(&format!("({}, id) < (", asked.column))
            .bind::<BigInt, _>(at)
            .sql(", ")
            .bind::<Binary, _>(id)
            .sql(")");
        let rows: Vec<PlacedRow> = chat_sessions::table
            .select((sql::<BigInt>(asked.column), SessionRow::as_select()))
            .filter(sql::<Bool>(asked.fixed))
            .filter(held(&asked))
            .filter(after)
            .order(sql::<Bool>(&format!("{} DESC, id DESC", asked.column)))
            .limit(to_db(most as u64))
            .load(self.0)?;
        rows.into_iter().map(|(at, row)| Ok((at, row.try_into()?))).collect()
    }

    fn unread(&mut self, range: &InboxRange, of: Party) -> Result<Vec<u64>, Failure> {
        let asked = range_conditions(range);
        let column = match of {
            Party::User => "unread_by_user",
            Party::Support => "unread_by_support",
        };
        let counts: Vec<i64> = chat_sessions::table
            .select(sql::<BigInt>(column))
            .filter(sql::<Bool>(asked.fixed))
            .filter(held(&asked))
            .order(sql::<Bool>(&format!("{} DESC, id DESC", asked.column)))
            .limit(to_db(MAX_ACTIVE as u64))
            .load(self.0)?;
        counts.into_iter().map(|count| Ok(from_db("chat_sessions.unread", count)?)).collect()
    }

    fn waiting(&mut self) -> Result<u64, Failure> {
        counters::total(self.0, &[(Scope::Unassigned, Some(SessionStatus::Active))])
    }

    /// One look-up each: within a process that costs less than a statement for any number of them.
    fn complete(&mut self, sessions: &mut [ChatSession]) -> Result<(), Failure> {
        for session in sessions.iter_mut().filter(|session| session.lacks_last_message()) {
            let newest: Option<MessageRow> = chat_messages::table
                .select(MessageRow::as_select())
                .filter(chat_messages::session_id.eq(DbId::from(session.id)))
                .order(chat_messages::seq.desc())
                .first(self.0)
                .optional()?;
            if let Some(row) = newest {
                let files = row.attachment_count;
                show_newest(session, row.into_record(), files)?;
            }
        }
        Ok(())
    }
}

/// The condition that a session is that of the person of the range.
fn held(
    asked: &RangeConditions<'_>,
) -> Box<dyn BoxableExpression<chat_sessions::table, diesel::sqlite::Sqlite, SqlType = Bool>> {
    match asked.holder {
        Some((column, person)) => Box::new(sql::<Bool>(&format!("{column} = ")).bind::<Text, _>(person.to_owned())),
        None => Box::new(sql::<Bool>("true")),
    }
}
