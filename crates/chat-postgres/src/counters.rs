//! The counters: how many sessions there are of each kind, and the statistics. Each writer has rows of its own, in which
//! it moves them in the transactions that make the facts; readers sum over the writers.

use std::collections::HashMap;

use chat_domain::model::{SessionStatus, Statistics, Timestamp, WaitingSessions};
use chat_sql::{Scope, StatisticsRow, from_db, statistics_of};
use diesel::prelude::*;

use crate::error::Failure;
use crate::schema::{chat_session_counts, chat_sessions, chat_stats};

/// How many sessions a list has on all its pages; see [`Scope::listed`].
pub(crate) fn total(connection: &mut PgConnection, listed: &ListedScopes) -> Result<u64, Failure> {
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

/// How many sessions each of these customers has open. One who never opened any is missing.
pub(crate) fn open_sessions(connection: &mut PgConnection, owners: &[&str]) -> Result<HashMap<String, u64>, Failure> {
    use chat_session_counts::dsl;
    let rows: Vec<(String, i64)> = chat_session_counts::table
        .select((dsl::holder, dsl::count))
        .filter(dsl::scope.eq("user"))
        .filter(dsl::holder.eq_any(owners))
        .filter(dsl::status.eq(SessionStatus::Active.as_str()))
        .load(connection)?;
    let mut sums: HashMap<String, i64> = HashMap::new();
    for (owner, count) in rows {
        *sums.entry(owner).or_default() += count;
    }
    // As above: a row may be negative, the sum over the writers may not.
    let sum = |(owner, sum)| Ok((owner, from_db("chat_session_counts.count", sum)?));
    sums.into_iter().map(sum).collect()
}

/// The scopes of a list.
pub(crate) type ListedScopes = [(Scope, Option<SessionStatus>)];

/// The sessions without an agent: their counter, and the first of the index that holds them in their order.
pub(crate) fn waiting(connection: &mut PgConnection) -> Result<WaitingSessions, Failure> {
    let active = SessionStatus::Active;
    let count = total(connection, &[(Scope::Unassigned, Some(active))])?;
    let queue = chat_sessions::table.select(chat_sessions::started_at).filter(chat_sessions::agent_id.is_null());
    let queue = queue.filter(chat_sessions::status.eq(active.as_str()));
    let oldest: Option<i64> =
        queue.order((chat_sessions::started_at, chat_sessions::id)).first(connection).optional()?;
    Ok(WaitingSessions { count, oldest: oldest.map(Timestamp::from_unix_ms) })
}

/// Sums the statistics of all writers.
pub(crate) fn statistics(connection: &mut PgConnection) -> Result<Statistics, Failure> {
    use chat_stats::{closed, messages, opened, response_time_ms, responses};
    let rows: Vec<StatisticsRow> =
        chat_stats::table.select((opened, closed, messages, responses, response_time_ms)).load(connection)?;
    Ok(statistics_of(&rows)?)
}
