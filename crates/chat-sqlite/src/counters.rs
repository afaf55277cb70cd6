//! The counters: how many sessions there are of each kind, and the statistics. They move in the transactions that make
//! the facts, once per batch.

use std::collections::BTreeMap;

use chat_domain::model::{AgentId, ChatSession, Statistics, StatisticsDelta, StatusFilter, UserId, Visibility};
use diesel::prelude::*;
use diesel::upsert::excluded;

use crate::error::Failure;
use crate::rows::status_of;
use crate::schema::{chat_session_counts, chat_stats};
use crate::values::{from_db, to_db};

/// This process has one writer.
const WRITER: i32 = 0;

/// Sessions that are counted together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    All,
    User(UserId),
    Agent(AgentId),
    Unassigned,
}

impl Scope {
    fn columns(&self) -> (&'static str, &str) {
        match self {
            Self::All => ("all", ""),
            Self::User(user) => ("user", user.as_str()),
            Self::Agent(agent) => ("agent", agent.as_str()),
            Self::Unassigned => ("unassigned", ""),
        }
    }

    /// The three scopes that count a session.
    fn of(session: &ChatSession) -> [Self; 3] {
        let holder = session.agent().map_or(Self::Unassigned, |agent| Self::Agent(agent.clone()));
        [Self::All, Self::User(session.owner.clone()), holder]
    }
}

/// What a batch adds to the numbers of sessions.
#[derive(Debug, Default)]
pub(crate) struct SessionCounts(BTreeMap<(Scope, &'static str), i64>);

impl SessionCounts {
    /// Counts a session as it is now.
    pub(crate) fn add(&mut self, session: &ChatSession) {
        self.shift(session, 1);
    }

    /// Stops counting a session as it was.
    pub(crate) fn remove(&mut self, session: &ChatSession) {
        self.shift(session, -1);
    }

    fn shift(&mut self, session: &ChatSession, by: i64) {
        let status = status_of(session).as_str();
        for scope in Scope::of(session) {
            *self.0.entry((scope, status)).or_default() += by;
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Writes what was added.
    pub(crate) fn flush(&self, connection: &mut SqliteConnection) -> QueryResult<()> {
        use chat_session_counts::dsl;
        // No upsert: SQLite checks `count >= 0` on the row to be inserted, even when it then updates another one.
        for ((scope, status), by) in self.0.iter().filter(|(_, by)| **by != 0) {
            let (scope, holder) = scope.columns();
            let row = dsl::chat_session_counts.find((scope, holder, *status));
            let updated = diesel::update(row).set(dsl::count.eq(dsl::count + *by)).execute(connection)?;
            if updated == 0 {
                diesel::insert_into(dsl::chat_session_counts)
                    .values((dsl::scope.eq(scope), dsl::holder.eq(holder), dsl::status.eq(*status), dsl::count.eq(*by)))
                    .execute(connection)?;
            }
        }
        Ok(())
    }
}

/// How many sessions a list has on all its pages.
pub(crate) fn total(
    connection: &mut SqliteConnection,
    visible: &Visibility,
    status: Option<StatusFilter>,
) -> Result<u64, Failure> {
    let scopes = match visible {
        Visibility::Everything => vec![(Scope::All, status)],
        Visibility::OwnedBy(user) => vec![(Scope::User(user.clone()), status)],
        Visibility::AssignedToOrWaiting(agent) => {
            let mut scopes = vec![(Scope::Agent(agent.clone()), status)];
            if status != Some(StatusFilter::Closed) {
                scopes.push((Scope::Unassigned, Some(StatusFilter::Active)));
            }
            scopes
        }
    };
    let mut total = 0;
    for (scope, status) in scopes {
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
