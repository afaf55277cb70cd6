//! Read a page of the sessions a person may see.
//!
//! The ids of the page come from an index that is in the order of the list, then the rows. The counters by bucket of
//! time say where in that index the page starts, however deep in the list it is; a page beyond the end costs nothing,
//! since the totals tell.

use std::cmp::Reverse;

use chat_domain::model::{AgentId, ChatSession, SessionPage, SessionQuery, StatusFilter, Visibility};
use chat_sql::{PageStart, Scope, to_db};
use diesel::prelude::*;
use diesel::query_dsl::positional_order_dsl::{IntoPositionalOrderExpr, PositionalOrderDsl};

use crate::counters;
use crate::error::Failure;
use crate::rows::SessionRow;
use crate::schema::chat_sessions::{self, dsl};
use crate::values::{DbId, DbStatus};

pub(crate) fn list(connection: &mut SqliteConnection, query: &SessionQuery) -> Result<SessionPage, Failure> {
    let listed = Scope::listed(&query.visible, query.status);
    let total = counters::total(connection, &listed)?;
    let offset = query.page.offset(query.limit);
    let start = if offset < total { counters::page_start(connection, &listed, offset)? } else { None };
    let sessions = match start {
        None => Vec::new(),
        Some(start) => {
            let ids = ids(connection, query, Slice::new(start, query))?;
            sessions(connection, &ids)?
        }
    };
    Ok(SessionPage { sessions, total, page: query.page, limit: query.limit })
}

/// A part of a list's index.
#[derive(Clone, Copy)]
struct Slice {
    /// Where it begins: at this moment or before it, in milliseconds since 1970.
    latest: i64,
    skip: i64,
    limit: i64,
}

impl Slice {
    fn new(start: PageStart, query: &SessionQuery) -> Self {
        Self { latest: start.latest, skip: to_db(start.skip), limit: i64::from(query.limit.get()) }
    }
}

/// Loads a page of ids, newest first.
macro_rules! page {
    ($query:expr, $slice:expr, $connection:expr) => {
        $query
            .select(dsl::id)
            .filter(dsl::started_at.le($slice.latest))
            .order((dsl::started_at.desc(), dsl::id.desc()))
            .limit($slice.limit)
            .offset($slice.skip)
            .load($connection)
    };
}

fn ids(connection: &mut SqliteConnection, query: &SessionQuery, slice: Slice) -> QueryResult<Vec<DbId>> {
    let all = chat_sessions::table;
    match (&query.visible, query.status) {
        (Visibility::Everything, None) => page!(all, slice, connection),
        (Visibility::Everything, Some(status)) => {
            page!(all.filter(dsl::status.eq(DbStatus(status))), slice, connection)
        }
        (Visibility::OwnedBy(user), None) => page!(all.filter(dsl::user_id.eq(user.as_str())), slice, connection),
        (Visibility::OwnedBy(user), Some(status)) => {
            let own = all.filter(dsl::user_id.eq(user.as_str()));
            page!(own.filter(dsl::status.eq(DbStatus(status))), slice, connection)
        }
        (Visibility::AssignedToOrWaiting(agent), Some(StatusFilter::Closed)) => {
            let assigned = all.filter(dsl::agent_id.eq(agent.as_str()));
            page!(assigned.filter(dsl::status.eq(DbStatus(StatusFilter::Closed))), slice, connection)
        }
        (Visibility::AssignedToOrWaiting(agent), Some(StatusFilter::Active)) => {
            assigned_or_waiting(connection, agent, Some(StatusFilter::Active), slice)
        }
        (Visibility::AssignedToOrWaiting(agent), None) => assigned_or_waiting(connection, agent, None, slice),
    }
}

/// Two index ranges, each in the order of the list, merged by SQLite while it reads them.
fn assigned_or_waiting(
    connection: &mut SqliteConnection,
    agent: &AgentId,
    status: Option<StatusFilter>,
    slice: Slice,
) -> QueryResult<Vec<DbId>> {
    let key = (dsl::started_at, dsl::id);
    let assigned = chat_sessions::table.select(key).filter(dsl::agent_id.eq(agent.as_str()));
    let assigned = assigned.filter(dsl::started_at.le(slice.latest));
    let waiting = chat_sessions::table
        .select(key)
        .filter(dsl::agent_id.is_null())
        .filter(dsl::status.eq(DbStatus(StatusFilter::Active)))
        .filter(dsl::started_at.le(slice.latest));
    let keys: Vec<(i64, DbId)> = match status {
        None => assigned
            .union_all(waiting)
            .positional_order_by((1.into_positional_expr().desc(), 2.into_positional_expr().desc()))
            .limit(slice.limit)
            .offset(slice.skip)
            .load(connection)?,
        Some(status) => assigned
            .filter(dsl::status.eq(DbStatus(status)))
            .union_all(waiting)
            .positional_order_by((1.into_positional_expr().desc(), 2.into_positional_expr().desc()))
            .limit(slice.limit)
            .offset(slice.skip)
            .load(connection)?,
    };
    Ok(keys.into_iter().map(|(_, id)| id).collect())
}

/// The sessions of these ids, in their order.
fn sessions(connection: &mut SqliteConnection, ids: &[DbId]) -> Result<Vec<ChatSession>, Failure> {
    let rows: Vec<SessionRow> =
        chat_sessions::table.select(SessionRow::as_select()).filter(dsl::id.eq_any(ids)).load(connection)?;
    let mut sessions = rows.into_iter().map(ChatSession::try_from).collect::<Result<Vec<_>, _>>()?;
    sessions.sort_unstable_by_key(|session| Reverse((session.started_at, session.id)));
    Ok(sessions)
}
