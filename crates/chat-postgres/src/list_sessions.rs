//! Read a page of the sessions a person may see.
//!
//! A page comes from an index that is in the order of the list, and with it, in the same statement, how many sessions
//! the list has. For a page deep in the list, the counters by bucket of time say first where in the index it starts; a
//! page beyond the end costs nothing, since the totals tell.

use chat_domain::model::{AgentId, ChatSession, SessionPage, SessionQuery, StatusFilter, Visibility};
use chat_sql::{PageStart, Scope, WALK_AT_MOST, from_db, to_db};
use diesel::dsl::sum;
use diesel::prelude::*;
use diesel::query_dsl::positional_order_dsl::{IntoPositionalOrderExpr, PositionalOrderDsl};
use diesel::sql_types::{Nullable, Numeric};
use uuid::Uuid;

use crate::counters;
use crate::error::Failure;
use crate::rows::SessionRow;
use crate::schema::chat_session_counts as counts;
use crate::schema::chat_sessions::{self, dsl};
use crate::values::DbStatus;

diesel::allow_tables_to_appear_in_same_query!(chat_sessions, counts);

diesel::define_sql_function! {
    /// A sum of numbers of sessions, which Postgres makes a NUMERIC, as the BIGINT that it is.
    #[sql_name = "int8"]
    fn as_big_int(sum: Nullable<Numeric>) -> Nullable<BigInt>;
}

/// Reads the page. One statement sees the database at one moment, and nearly all pages that are asked for need no more;
/// the others take a transaction.
pub(crate) fn list(connection: &mut PgConnection, query: &SessionQuery) -> Result<SessionPage, Failure> {
    let listed = Scope::listed(&query.visible, query.status);
    let offset = query.page.offset(query.limit);
    if offset <= WALK_AT_MOST
        && let Some(page) = page_from(connection, query, &listed, PageStart { latest: i64::MAX, skip: offset })?
    {
        return Ok(page);
    }
    connection.build_transaction().repeatable_read().read_only().run(|connection| {
        let total = counters::total(connection, &listed)?;
        let start = if offset < total { counters::page_start(connection, &listed, offset)? } else { None };
        let page = match start {
            Some(start) => page_from(connection, query, &listed, start)?,
            None => None,
        };
        let empty = SessionPage { sessions: Vec::new(), total, page: query.page, limit: query.limit };
        Ok(page.unwrap_or(empty))
    })
}

/// The page that starts there; `None` when it has no sessions.
fn page_from(
    connection: &mut PgConnection,
    query: &SessionQuery,
    listed: &counters::Listed,
    start: PageStart,
) -> Result<Option<SessionPage>, Failure> {
    let slice = Slice {
        latest: start.latest,
        skip: to_db(start.skip),
        limit: i64::from(query.limit.get()),
        totals: [Total::of(listed.first()), Total::of(listed.get(1))],
    };
    let rows = rows(connection, query, &slice)?;
    let Some((_, total, more)) = rows.first() else { return Ok(None) };
    let total = total.unwrap_or_default() + more.unwrap_or_default();
    // The row of a writer may be negative, the sum over the writers may not.
    let total = from_db("chat_session_counts.count", total)?;
    let sessions = rows.into_iter().map(|(row, ..)| ChatSession::try_from(row)).collect::<Result<Vec<_>, _>>()?;
    Ok(Some(SessionPage { sessions, total, page: query.page, limit: query.limit }))
}

/// A part of a list's index, and what counts the whole list.
struct Slice<'a> {
    /// Where it begins: at this moment or before it, in milliseconds since 1970.
    latest: i64,
    skip: i64,
    limit: i64,
    /// Their sum is the number of sessions of the list.
    totals: [Total<'a>; 2],
}

/// The counters of a scope, or none.
#[derive(Default)]
struct Total<'a> {
    scope: &'static str,
    holder: &'a str,
    statuses: Vec<&'static str>,
}

impl<'a> Total<'a> {
    fn of(listed: Option<&'a (Scope, Option<StatusFilter>)>) -> Self {
        let Some((scope, status)) = listed else { return Self::default() };
        let (scope, holder) = scope.columns();
        let both = [StatusFilter::Active, StatusFilter::Closed].into_iter();
        let statuses =
            both.filter(|one| status.is_none_or(|wanted| wanted == *one)).map(StatusFilter::as_str).collect();
        Self { scope, holder, statuses }
    }
}

/// A session, and the two totals of its list.
type Row = (SessionRow, Option<i64>, Option<i64>);

/// The same behind its place in the list.
type KeyedRow = (i64, Uuid, SessionRow, Option<i64>, Option<i64>);

/// Reads the sum of counters within another statement.
macro_rules! total {
    ($total:expr) => {
        counts::table
            .filter(counts::scope.eq($total.scope))
            .filter(counts::holder.eq($total.holder))
            .filter(counts::status.eq_any(&$total.statuses))
            .select(as_big_int(sum(counts::count)))
            .single_value()
    };
}

/// Loads a page of rows, newest first.
macro_rules! page {
    ($query:expr, $slice:expr, $connection:expr) => {{
        let [first, second] = &$slice.totals;
        $query
            .select((SessionRow::as_select(), total!(first), total!(second)))
            .filter(dsl::started_at.le($slice.latest))
            .order((dsl::started_at.desc(), dsl::id.desc()))
            .limit($slice.limit)
            .offset($slice.skip)
            .load($connection)
    }};
}

fn rows(connection: &mut PgConnection, query: &SessionQuery, slice: &Slice<'_>) -> QueryResult<Vec<Row>> {
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

/// Two index ranges, each in the order of the list, merged by Postgres while it reads them.
fn assigned_or_waiting(
    connection: &mut PgConnection,
    agent: &AgentId,
    status: Option<StatusFilter>,
    slice: &Slice<'_>,
) -> QueryResult<Vec<Row>> {
    let [first, second] = &slice.totals;
    // A union is ordered by the number of a column: the first two are the key of the list.
    let columns = (dsl::started_at, dsl::id, SessionRow::as_select(), total!(first), total!(second));
    let assigned = chat_sessions::table.select(columns).filter(dsl::agent_id.eq(agent.as_str()));
    let assigned = assigned.filter(dsl::started_at.le(slice.latest));
    let columns = (dsl::started_at, dsl::id, SessionRow::as_select(), total!(first), total!(second));
    let waiting = chat_sessions::table
        .select(columns)
        .filter(dsl::agent_id.is_null())
        .filter(dsl::status.eq(DbStatus(StatusFilter::Active)))
        .filter(dsl::started_at.le(slice.latest));
    let keyed: Vec<KeyedRow> = match status {
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
    Ok(keyed.into_iter().map(|(_, _, row, first, second)| (row, first, second)).collect())
}
