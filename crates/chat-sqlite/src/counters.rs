//! The counters: how many sessions there are of each kind, and the statistics. They move in the transactions that make
//! the facts, once per batch.

use chat_domain::model::{SessionStatus, Statistics, StatisticsDelta, Timestamp, UserId, WaitingSessions};
use chat_sql::{Scope, SessionCounts, StatisticsRow, from_db, statistics_of, to_db};
use diesel::prelude::*;
use diesel::upsert::excluded;

use crate::error::Failure;
use crate::schema::{chat_session_counts, chat_sessions, chat_stats};

/// This process has one writer.
const WRITER: i32 = 0;

/// Writes what a batch adds to the numbers of sessions.
pub(crate) fn add(connection: &mut SqliteConnection, counts: &SessionCounts) -> QueryResult<()> {
    use chat_session_counts::dsl;
    // No upsert: SQLite checks `count >= 0` on the row to be inserted, even when it then updates another one.
    for (scope, status, by) in counts.totals() {
        let (scope, holder) = scope.columns();
        let status = status.as_str();
        let row = dsl::chat_session_counts.find((scope, holder, status));
        let updated = diesel::update(row).set(dsl::count.eq(dsl::count + by)).execute(connection)?;
        if updated == 0 {
            diesel::insert_into(dsl::chat_session_counts)
                .values((dsl::scope.eq(scope), dsl::holder.eq(holder), dsl::status.eq(status), dsl::count.eq(by)))
                .execute(connection)?;
        }
    }
    Ok(())
}

/// The scopes of a list; see [`Scope::listed`].
pub(crate) type ListedScopes = [(Scope, Option<SessionStatus>)];

/// How many sessions a list has on all its pages.
pub(crate) fn total(connection: &mut SqliteConnection, listed: &ListedScopes) -> Result<u64, Failure> {
    let mut total = 0;
    for (scope, status) in listed {
        let (scope, holder) = scope.columns();
        let counts: Vec<(String, i64)> = chat_session_counts::table
            .select((chat_session_counts::status, chat_session_counts::count))
            .filter(chat_session_counts::scope.eq(scope).and(chat_session_counts::holder.eq(holder)))
            .load(connection)?;
        for (of, count) in counts {
            if status.is_none_or(|wanted| wanted.as_str() == of) {
                total += from_db("chat_session_counts.count", count)?;
            }
        }
    }
    Ok(total)
}

/// How many sessions a customer has open.
pub(crate) fn open_sessions(connection: &mut SqliteConnection, owner: &UserId) -> Result<u64, Failure> {
    total(connection, &[(Scope::User(owner.clone()), Some(SessionStatus::Active))])
}

/// Adds to the statistics.
pub(crate) fn add_statistics(connection: &mut SqliteConnection, delta: &StatisticsDelta) -> QueryResult<()> {
    use chat_stats::{closed, messages, opened, response_time_ms, responses, writer};
    if delta.is_empty() {
        return Ok(());
    }
    diesel::insert_into(chat_stats::table)
        .values((
            writer.eq(WRITER),
            opened.eq(to_db(delta.opened)),
            closed.eq(to_db(delta.closed)),
            messages.eq(to_db(delta.messages)),
            responses.eq(to_db(delta.responses)),
            response_time_ms.eq(to_db(delta.response_time_ms)),
        ))
        .on_conflict(writer)
        .do_update()
        .set((
            opened.eq(opened + excluded(opened)),
            closed.eq(closed + excluded(closed)),
            messages.eq(messages + excluded(messages)),
            responses.eq(responses + excluded(responses)),
            response_time_ms.eq(response_time_ms + excluded(response_time_ms)),
        ))
        .execute(connection)?;
    Ok(())
}

/// The sessions without an agent: their counter, and the first of the index that holds them in their order.
pub(crate) fn waiting(connection: &mut SqliteConnection) -> Result<WaitingSessions, Failure> {
    let active = SessionStatus::Active;
    let count = total(connection, &[(Scope::Unassigned, Some(active))])?;
    let queue = chat_sessions::table.select(chat_sessions::started_at).filter(chat_sessions::agent_id.is_null());
    let queue = queue.filter(chat_sessions::status.eq(active.as_str()));
    let oldest: Option<i64> =
        queue.order((chat_sessions::started_at, chat_sessions::id)).first(connection).optional()?;
    Ok(WaitingSessions { count, oldest: oldest.map(Timestamp::from_unix_ms) })
}

/// Sums the statistics of all writers.
pub(crate) fn statistics(connection: &mut SqliteConnection) -> Result<Statistics, Failure> {
    use chat_stats::{closed, messages, opened, response_time_ms, responses};
    let rows: Vec<StatisticsRow> =
        chat_stats::table.select((opened, closed, messages, responses, response_time_ms)).load(connection)?;
    Ok(statistics_of(&rows)?)
}
