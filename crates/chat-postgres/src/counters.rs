//! The counters: how many sessions there are of each kind, and the statistics. Each writer has rows of its own, in which
//! it moves them in the transactions that make the facts; readers sum over the writers.

use chat_domain::model::{Statistics, StatusFilter};
use chat_sql::{Buckets, ByStatus, PageStart, Scope, from_db};
use diesel::prelude::*;

use crate::error::Failure;
use crate::schema::{chat_session_buckets, chat_session_counts, chat_stats};

/// How many sessions a list has on all its pages; see [`Scope::listed`].
pub(crate) fn total(connection: &mut PgConnection, listed: &Listed) -> Result<u64, Failure> {
    let mut total = 0;
    for (scope, status) in listed {
        let (scope, holder) = scope.columns();
        let counts: Vec<(String, i64)> = chat_session_counts::table
            .select((chat_session_counts::status, chat_session_counts::count))
            .filter(chat_session_counts::scope.eq(scope).and(chat_session_counts::holder.eq(holder)))
            .load(connection)?;
        total += counts
            .iter()
            .filter(|(of, _)| status.is_none_or(|wanted| wanted.as_str() == of))
            .map(|row| row.1)
            .sum::<i64>();
    }
    // A row may be negative, the sum over the writers may not.
    Ok(from_db("chat_session_counts.count", total)?)
}

/// The scopes of a list.
pub(crate) type Listed = [(Scope, Option<StatusFilter>)];

/// Where the page of a list starts before which there are `offset` sessions; `None` when there are no more.
pub(crate) fn page_start(
    connection: &mut PgConnection,
    listed: &Listed,
    offset: u64,
) -> Result<Option<PageStart>, Failure> {
    PageStart::find(offset, |wanted| {
        let mut counts = Vec::new();
        for (scope, status) in listed {
            let found = in_buckets(connection, scope, wanted)?.into_iter();
            counts.extend(found.map(|(bucket, active, closed)| (bucket, ByStatus { active, closed }.of(*status))));
        }
        Ok(counts)
    })
}

/// The rows of these buckets, one a writer: number, active sessions, closed sessions.
fn in_buckets(connection: &mut PgConnection, scope: &Scope, wanted: &Buckets) -> QueryResult<Vec<(i64, i64, i64)>> {
    use chat_session_buckets::dsl;
    let (scope, holder) = scope.columns();
    dsl::chat_session_buckets
        .select((dsl::bucket, dsl::active, dsl::closed))
        .filter(dsl::scope.eq(scope))
        .filter(dsl::holder.eq(holder))
        .filter(dsl::level.eq(wanted.level))
        .filter(dsl::bucket.between(*wanted.numbers.start(), *wanted.numbers.end()))
        .load(connection)
}

/// Sums the statistics of all writers.
pub(crate) fn statistics(connection: &mut PgConnection) -> Result<Statistics, Failure> {
    use chat_stats::{closed, messages, opened, response_time_ms, responses};
    let rows: Vec<(i64, i64, i64, i64, i64)> =
        chat_stats::table.select((opened, closed, messages, responses, response_time_ms)).load(connection)?;
    let sum = |column, pick: fn(&(i64, i64, i64, i64, i64)) -> i64| from_db(column, rows.iter().map(pick).sum());
    Ok(Statistics {
        total_sessions: sum("chat_stats.opened", |row| row.0)?,
        // A session may be closed by another writer than the one that opened it, so only the sums can be compared.
        active_sessions: sum("chat_stats.closed", |row| row.0 - row.1)?,
        messages: sum("chat_stats.messages", |row| row.2)?,
        responses: sum("chat_stats.responses", |row| row.3)?,
        response_time_ms: sum("chat_stats.response_time_ms", |row| row.4)?,
    })
}
