//! The counters: how many sessions there are of each kind, and the statistics. They move in the transactions that make
//! the facts, once per batch.

use chat_domain::model::{Statistics, StatisticsDelta, StatusFilter};
use chat_sql::{Bucket, Buckets, ByStatus, PageStart, Scope, SessionCounts, from_db, to_db};
use diesel::prelude::*;
use diesel::upsert::excluded;

use crate::error::Failure;
use crate::schema::{chat_session_buckets, chat_session_counts, chat_stats};

/// This process has one writer.
const WRITER: i32 = 0;

/// Writes what a batch adds to the numbers of sessions.
pub(crate) fn flush(connection: &mut SqliteConnection, counts: &SessionCounts) -> QueryResult<()> {
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
    counts.buckets().try_for_each(|(scope, bucket, by)| add_to_bucket(connection, scope, bucket, by))
}

/// Most rows are new: a customer seldom opens two sessions in a minute. So an insert is tried first where that can do.
fn add_to_bucket(connection: &mut SqliteConnection, scope: &Scope, bucket: Bucket, by: ByStatus) -> QueryResult<()> {
    use chat_session_buckets::dsl::{self, active, closed};
    let (scope, holder) = scope.columns();
    if by.active < 0 || by.closed < 0 {
        // Only what was counted before is taken back; a missing row breaks `CHECK (active >= 0)` as a wrong one does.
        let row = dsl::chat_session_buckets.find((scope, holder, bucket.level, bucket.number));
        let moved = (active.eq(active + by.active), closed.eq(closed + by.closed));
        if diesel::update(row).set(moved).execute(connection)? == 1 {
            return Ok(());
        }
    }
    diesel::insert_into(dsl::chat_session_buckets)
        .values((
            dsl::scope.eq(scope),
            dsl::holder.eq(holder),
            dsl::level.eq(bucket.level),
            dsl::bucket.eq(bucket.number),
            active.eq(by.active),
            closed.eq(by.closed),
        ))
        .on_conflict((dsl::scope, dsl::holder, dsl::level, dsl::bucket))
        .do_update()
        .set((active.eq(active + excluded(active)), closed.eq(closed + excluded(closed))))
        .execute(connection)?;
    Ok(())
}

/// The scopes of a list; see [`Scope::listed`].
pub(crate) type Listed = [(Scope, Option<StatusFilter>)];

/// How many sessions a list has on all its pages.
pub(crate) fn total(connection: &mut SqliteConnection, listed: &Listed) -> Result<u64, Failure> {
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

/// Where the page of a list starts before which there are `offset` sessions; `None` when there are no more.
pub(crate) fn page_start(
    connection: &mut SqliteConnection,
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

/// The rows of these buckets: number, active sessions, closed sessions.
fn in_buckets(connection: &mut SqliteConnection, scope: &Scope, wanted: &Buckets) -> QueryResult<Vec<(i64, i64, i64)>> {
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

/// Sums the statistics of all writers.
pub(crate) fn statistics(connection: &mut SqliteConnection) -> Result<Statistics, Failure> {
    use chat_stats::{closed, messages, opened, response_time_ms, responses};
    let rows: Vec<(i64, i64, i64, i64, i64)> =
        chat_stats::table.select((opened, closed, messages, responses, response_time_ms)).load(connection)?;
    let mut sum = Statistics::default();
    for (row_opened, row_closed, row_messages, row_responses, row_response_time_ms) in rows {
        let row_opened = from_db("chat_stats.opened", row_opened)?;
        sum.total_sessions += row_opened;
        // A session may be closed by another writer than the one that opened it, so one row's difference can be
        // negative; the sum over all rows cannot.
        sum.active_sessions = sum.active_sessions.wrapping_add(row_opened);
        sum.active_sessions = sum.active_sessions.wrapping_sub(from_db("chat_stats.closed", row_closed)?);
        sum.messages += from_db("chat_stats.messages", row_messages)?;
        sum.responses += from_db("chat_stats.responses", row_responses)?;
        sum.response_time_ms += from_db("chat_stats.response_time_ms", row_response_time_ms)?;
    }
    Ok(sum)
}
