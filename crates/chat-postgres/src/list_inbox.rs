//! Read a page of an inbox. Each range of a view is a walk along an index from the place of the page on.

use chat_domain::inbox::{
    ActiveSession, InboxPage, InboxQuery, InboxRange, InboxSource, MAX_ACTIVE, read_active, read_ended,
};
use chat_domain::model::{ChatSession, Party, Seq, SessionId, SessionStatus};
use chat_domain::ports::MAX_ENDED;
use chat_sql::{RangeConditions, Scope, from_db, range_conditions, show_newest, to_db};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Text};
use uuid::Uuid;

use crate::error::Failure;
use crate::rows::{MessageRow, SessionRow};
use crate::schema::{chat_messages, chat_sessions};
use crate::{counters, get_session};

/// Reads the page, in a transaction that sees the database at one moment.
pub(crate) fn list(connection: &mut PgConnection, query: &InboxQuery) -> Result<InboxPage, Failure> {
    query.read(&mut PgInbox(connection))
}

/// The sessions of these ids, as an inbox shows them.
pub(crate) fn find_many(connection: &mut PgConnection, ids: &[SessionId]) -> Result<Vec<ChatSession>, Failure> {
    let ids: Vec<Uuid> = ids.iter().map(SessionId::as_uuid).collect();
    let mut sessions = get_session::find_many(connection, &ids)?;
    PgInbox(connection).complete(&mut sessions)?;
    Ok(sessions)
}

/// The active sessions of these ranges.
pub(crate) fn active(connection: &mut PgConnection, ranges: &[InboxRange]) -> Result<Vec<ActiveSession>, Failure> {
    read_active(ranges, &mut PgInbox(connection))
}

/// The sessions of a range that ended last.
pub(crate) fn ended(connection: &mut PgConnection, range: &InboxRange) -> Result<Vec<(SessionId, Seq)>, Failure> {
    read_ended(range, MAX_ENDED, &mut PgInbox(connection))
}

struct PgInbox<'c>(&'c mut PgConnection);

/// The moment by which a session is ordered, and its row.
type PlacedRow = (i64, SessionRow);

impl InboxSource for PgInbox<'_> {
    type Error = Failure;

    fn sessions(
        &mut self,
        range: &InboxRange,
        after: Option<(i64, SessionId)>,
        most: usize,
    ) -> Result<Vec<(i64, ChatSession)>, Failure> {
        let asked = range_conditions(range);
        let (at, id) = after.map_or((i64::MAX, Uuid::max()), |(at, id)| (at, id.as_uuid()));
        let after = sql::<Bool>(&format!("({}, id) < (", asked.at))
            .bind::<BigInt, _>(at)
            .sql(", ")
            .bind::<diesel::sql_types::Uuid, _>(id)
            .sql(")");
        let rows: Vec<PlacedRow> = chat_sessions::table
            .select((sql::<BigInt>(asked.at), SessionRow::as_select()))
            .filter(sql::<Bool>(asked.fixed))
            .filter(held(&asked))
            .filter(after)
            .order(sql::<Bool>(&format!("{} DESC, id DESC", asked.at)))
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
            .order(sql::<Bool>(&format!("{} DESC, id DESC", asked.at)))
            .limit(to_db(MAX_ACTIVE as u64))
            .load(self.0)?;
        counts.into_iter().map(|count| Ok(from_db("chat_sessions.unread", count)?)).collect()
    }

    fn waiting(&mut self) -> Result<u64, Failure> {
        counters::total(self.0, &[(Scope::Unassigned, Some(SessionStatus::Active))])
    }

    fn complete(&mut self, sessions: &mut [ChatSession]) -> Result<(), Failure> {
        let lacking: Vec<Uuid> = sessions
            .iter()
            .filter(|session| session.lacks_last_message())
            .map(|session| session.id.as_uuid())
            .collect();
        if lacking.is_empty() {
            return Ok(());
        }
        // The newest message of each, by one look-up along the key.
        let newest = sql::<Bool>("(session_id, seq) IN (SELECT newest.session_id, newest.seq FROM unnest(")
            .bind::<Array<diesel::sql_types::Uuid>, _>(&lacking)
            .sql(
                "::uuid[]) AS wanted(id) CROSS JOIN LATERAL (SELECT session_id, seq FROM chat_messages \
                 WHERE session_id = wanted.id ORDER BY seq DESC LIMIT 1) AS newest)",
            );
        let rows: Vec<(Uuid, MessageRow)> = chat_messages::table
            .select((chat_messages::session_id, MessageRow::as_select()))
            .filter(newest)
            .load(self.0)?;
        for (id, row) in rows {
            let files = row.attachment_count;
            if let Some(session) = sessions.iter_mut().find(|session| session.id.as_uuid() == id) {
                show_newest(session, row.into_record(), files)?;
            }
        }
        Ok(())
    }
}

/// The condition that a session is that of the person of the range.
fn held(
    asked: &RangeConditions<'_>,
) -> Box<dyn BoxableExpression<chat_sessions::table, diesel::pg::Pg, SqlType = Bool>> {
    match asked.holder {
        Some((column, person)) => Box::new(sql::<Bool>(&format!("{column} = ")).bind::<Text, _>(person.to_owned())),
        None => Box::new(sql::<Bool>("true")) as Box<_>,
    }
}
