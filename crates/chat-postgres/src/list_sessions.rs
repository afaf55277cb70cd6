//! Read a page of the sessions a person may see.
//!
//! One statement reads a page and how many sessions its list has. A page whose number is beyond the last costs no walk,
//! since the totals are read before it.

use std::cmp::Reverse;

use chat_domain::model::{ChatSession, SessionKey, SessionPage, SessionQuery, SessionStatus};
use chat_sql::{Scope, from_db};
use diesel::dsl::sum;
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Numeric};

use crate::counters;
use crate::error::Failure;
use crate::rows::SessionRow;
use crate::schema::chat_session_counts as counts;
use crate::schema::chat_sessions;
use crate::statements::SessionPageCondition;

diesel::allow_tables_to_appear_in_same_query!(chat_sessions, counts);

/// How many sessions are passed over without a look at how many there are, which saves round trips on the usual pages.
const PASSED_UNCOUNTED: u64 = 256;

diesel::define_sql_function! {
    /// A sum of numbers of sessions, which Postgres makes a NUMERIC, as the BIGINT that it is.
    #[sql_name = "int8"]
    fn as_big_int(sum: Nullable<Numeric>) -> Nullable<BigInt>;
}

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

/// Reads the page. One statement sees the database at one moment, and nearly all pages that are asked for need no more;
/// the others take a transaction.
pub(crate) fn list(connection: &mut PgConnection, query: &SessionQuery) -> Result<SessionPage, Failure> {
    let listed = Scope::listed(&query.visible, query.status);
    let offset = query.position.offset(query.limit);
    if offset <= PASSED_UNCOUNTED
        && let Some(page) = page(connection, query, &listed)?
    {
        return Ok(page);
    }
    connection.build_transaction().repeatable_read().read_only().run(|connection| {
        let total = counters::total(connection, &listed)?;
        let page = if offset < total { page(connection, query, &listed)? } else { None };
        Ok(page.unwrap_or_else(|| query.page(Vec::new(), total)))
    })
}

/// The page; `None` when it has no sessions.
fn page(
    connection: &mut PgConnection,
    query: &SessionQuery,
    listed: &counters::ListedScopes,
) -> Result<Option<SessionPage>, Failure> {
    let [first, second] = [Total::of(listed.first()), Total::of(listed.get(1))];
    let rows: Vec<Row> = chat_sessions::table
        .select((SessionRow::as_select(), total!(first), total!(second)))
        .filter(SessionPageCondition::of(query, listed))
        .load(connection)?;
    let Some((_, total, more)) = rows.first() else { return Ok(None) };
    let total = total.unwrap_or_default() + more.unwrap_or_default();
    // The row of a writer may be negative, the sum over the writers may not.
    let total = from_db("chat_session_counts.count", total)?;
    let mut sessions = rows.into_iter().map(|(row, ..)| ChatSession::try_from(row)).collect::<Result<Vec<_>, _>>()?;
    sessions.sort_unstable_by_key(|session| Reverse(SessionKey::of(session)));
    Ok(Some(query.page(sessions, total)))
}

/// The counters of a scope, or none.
#[derive(Default)]
struct Total<'a> {
    scope: &'static str,
    holder: &'a str,
    statuses: Vec<&'static str>,
}

impl<'a> Total<'a> {
    fn of(listed: Option<&'a (Scope, Option<SessionStatus>)>) -> Self {
        let Some((scope, status)) = listed else { return Self::default() };
        let (scope, holder) = scope.columns();
        let both = [SessionStatus::Active, SessionStatus::Closed].into_iter();
        let statuses =
            both.filter(|one| status.is_none_or(|wanted| wanted == *one)).map(SessionStatus::as_str).collect();
        Self { scope, holder, statuses }
    }
}

/// A session, and the two totals of its list.
type Row = (SessionRow, Option<i64>, Option<i64>);
