//! What an operator asks about a database file without starting a node on it: how it is set up, and whether its counters
//! are those of its rows. Changes nothing, and runs beside a node.

use std::path::Path;
use std::time::Duration;

use chat_domain::ChatError;
use chat_sql::{RecountBounds, RecountFigures};
pub use chat_sql::{RecountReport, RecountScope};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Text};
use uuid::Uuid;

use crate::connection::{self, OpenMode};
use crate::error::{Failure, MigrateError, OpenError};
use crate::migrate;
use crate::schema::chat_identity;
use crate::values::DbId;

/// How long to wait for a process that locks the whole file, which happens when a log is recovered.
const PATIENCE: Duration = Duration::from_secs(5);

/// How a database file is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqliteFacts {
    /// The version of the SQLite that is compiled in.
    pub version: String,
    /// The encoding of text, such as `UTF-8`.
    pub encoding: String,
    /// The names of the migrations that it lacks.
    pub pending: Vec<String>,
}

#[derive(QueryableByName)]
struct SqliteSettings {
    #[diesel(sql_type = Text)]
    version: String,
    #[diesel(sql_type = Text)]
    encoding: String,
}

/// How the file is set up. Blocks.
///
/// # Errors
/// When the file is missing, no database, or has a migration that this program does not know.
pub fn facts(path: impl AsRef<Path>) -> Result<SqliteFacts, MigrateError> {
    let path = path.as_ref();
    let file = |reason: String| MigrateError::File { path: path.to_owned(), reason };
    let mut connection = open(path).map_err(|error| file(error.to_string()))?;
    let settings = "SELECT sqlite_version() AS version, encoding FROM pragma_encoding";
    let found: SqliteSettings =
        diesel::sql_query(settings).get_result(&mut connection).map_err(|error| file(error.to_string()))?;
    let pending = migrate::pending(&mut connection, path)?;
    Ok(SqliteFacts { version: found.version, encoding: found.encoding, pending })
}

/// Which database it is: 32 hexadecimal digits. Blocks.
///
/// # Errors
/// When the file cannot be read, or has no schema.
pub fn identity(path: impl AsRef<Path>) -> Result<String, OpenError> {
    let path = path.as_ref();
    let identity =
        open(path).and_then(|mut connection| chat_identity::table.select(chat_identity::id).first(&mut connection));
    identity.map_err(|error| OpenError::Identity { path: path.to_owned(), reason: error.to_string() })
}

/// Compares counters with the rows that they count, all at one moment. `random` chooses the sample. Blocks.
///
/// # Errors
/// When the database cannot be read.
pub fn recount(path: impl AsRef<Path>, scope: RecountScope, random: u128) -> Result<RecountReport, OpenError> {
    let path = path.as_ref();
    let file = |reason: String| OpenError::File { path: path.to_owned(), reason };
    let mut connection = open(path).map_err(|error| file(error.to_string()))?;
    let counted = connection.transaction(|connection| {
        let counters: SqliteTotals = diesel::sql_query(COUNTERS).get_result(connection)?;
        let bounds = RecountBounds::new(scope, counters.sessions, counters.messages);
        count(connection, bounds, random)
    });
    counted.map_err(|failure: Failure| file(ChatError::from(failure).to_string()))
}

/// A connection that changes no row. It may write, since the first one to a write-ahead log makes its index.
fn open(path: &Path) -> Result<SqliteConnection, diesel::result::Error> {
    let connected = connection::connect(path, OpenMode::Write, PATIENCE);
    let mut connection = connected.map_err(|error| diesel::result::Error::QueryBuilderError(error.into()))?;
    connection::query_only(&mut connection)?;
    Ok(connection)
}

#[derive(QueryableByName)]
struct SqliteTotals {
    #[diesel(sql_type = BigInt)]
    sessions: i64,
    #[diesel(sql_type = BigInt)]
    messages: i64,
}

const COUNTERS: &str =
    "SELECT coalesce(sum(opened), 0) AS sessions, coalesce(sum(messages), 0) AS messages FROM chat_stats";

#[derive(QueryableByName)]
struct SqliteIdRange {
    #[diesel(sql_type = Binary)]
    first: DbId,
    #[diesel(sql_type = Binary)]
    last: DbId,
}

const ENDS: &str = "
    SELECT lower.id AS first, upper.id AS last
    FROM (SELECT id FROM chat_sessions ORDER BY id LIMIT 1) AS lower,
         (SELECT id FROM chat_sessions ORDER BY id DESC LIMIT 1) AS upper";

#[derive(QueryableByName)]
struct SqliteFoundCount {
    #[diesel(sql_type = BigInt)]
    found: i64,
}

#[derive(QueryableByName)]
struct SqliteComparison {
    #[diesel(sql_type = BigInt)]
    sessions: i64,
    #[diesel(sql_type = BigInt)]
    wrong: i64,
}

/// `?1` is where the sample begins, `?2` how many there are of it.
const SESSIONS: &str = "
    WITH sample AS (
        SELECT * FROM (SELECT id, message_count, last_seq FROM chat_sessions WHERE id >= ?1 ORDER BY id LIMIT ?2)
        UNION
        SELECT * FROM (SELECT id, message_count, last_seq FROM chat_sessions ORDER BY id DESC LIMIT ?2)
    ),
    compared AS (
        SELECT message_count, last_seq,
               (SELECT count(*) FROM chat_messages WHERE session_id = sample.id) AS messages,
               (SELECT count(*) FROM chat_session_events WHERE session_id = sample.id) AS events
        FROM sample
    )
    SELECT count(*) AS sessions,
           count(*) FILTER (WHERE message_count <> messages OR last_seq <> messages + events) AS wrong
    FROM compared";

/// As above, in rows of messages and of events.
const MISSING: &str = "
    WITH sample AS (
        SELECT * FROM (SELECT session_id FROM chat_messages WHERE session_id >= ?1 ORDER BY session_id, seq LIMIT ?2)
        UNION
        SELECT * FROM (
            SELECT session_id FROM chat_session_events WHERE session_id >= ?1 ORDER BY session_id, seq LIMIT ?2
        )
    )
    SELECT count(*) AS found FROM sample WHERE NOT EXISTS (SELECT 1 FROM chat_sessions WHERE id = sample.session_id)";

/// The numbers of sessions of each kind that differ.
const NUMBERS: &str = "
    WITH counted AS (
        SELECT 'all' AS scope, '' AS holder, status, count(*) AS counted FROM chat_sessions GROUP BY status
        UNION ALL
        SELECT 'user', user_id, status, count(*) FROM chat_sessions GROUP BY user_id, status
        UNION ALL
        SELECT 'agent', agent_id, status, count(*) FROM chat_sessions
            WHERE agent_id IS NOT NULL GROUP BY agent_id, status
        UNION ALL
        SELECT 'unassigned', '', status, count(*) FROM chat_sessions WHERE agent_id IS NULL GROUP BY status
    )
    SELECT count(*) AS found
    FROM chat_session_counts AS kept FULL JOIN counted USING (scope, holder, status)
    WHERE coalesce(kept.count, 0) <> coalesce(counted, 0)";

/// The statistics that differ. A support message right after a customer's answers the customer's unbroken run of messages
/// before it, and took as long as since the first of that run.
const STATISTICS: &str = "
    WITH in_order AS (
        SELECT session_id, seq, sender, created_at,
               lag(sender) OVER (PARTITION BY session_id ORDER BY seq) AS before
        FROM chat_messages
    ),
    with_run AS (
        SELECT session_id, sender, created_at, before,
               max(CASE WHEN sender = 'user' AND before IS NOT 'user' THEN seq END)
                   OVER (PARTITION BY session_id ORDER BY seq) AS run
        FROM in_order
    ),
    answers AS (
        SELECT max(0, with_run.created_at - head.created_at) AS took
        FROM with_run JOIN chat_messages AS head ON head.session_id = with_run.session_id AND head.seq = with_run.run
        WHERE with_run.sender = 'support' AND with_run.before = 'user'
    ),
    kept AS (
        SELECT coalesce(sum(opened), 0) AS opened, coalesce(sum(closed), 0) AS closed,
               coalesce(sum(messages), 0) AS messages, coalesce(sum(responses), 0) AS responses,
               coalesce(sum(response_time_ms), 0) AS response_time_ms
        FROM chat_stats
    )
    SELECT (opened <> (SELECT count(*) FROM chat_sessions))
           + (closed <> (SELECT count(*) FROM chat_sessions WHERE status = 'closed'))
           + (messages <> (SELECT count(*) FROM chat_messages))
           + (responses <> (SELECT count(*) FROM answers))
           + (response_time_ms <> (SELECT coalesce(sum(took), 0) FROM answers)) AS found
    FROM kept";

fn count(connection: &mut SqliteConnection, bounds: RecountBounds, random: u128) -> Result<RecountReport, Failure> {
    let ends: Option<SqliteIdRange> = diesel::sql_query(ENDS).get_result(connection).optional()?;
    let start = ends.map_or(0, |ends| bounds.start(ends.first.0.as_u128(), ends.last.0.as_u128(), random));
    let start = DbId(Uuid::from_u128(start));
    let sample = |query: &str| diesel::sql_query(query.to_owned()).bind::<Binary, _>(start);
    let compared: SqliteComparison = sample(SESSIONS).bind::<BigInt, _>(bounds.sessions).get_result(connection)?;
    let missing: SqliteFoundCount = sample(MISSING).bind::<BigInt, _>(bounds.rows).get_result(connection)?;
    let mut wrong_counters = 0;
    if bounds.is_complete {
        for query in [NUMBERS, STATISTICS] {
            let differing: SqliteFoundCount = diesel::sql_query(query).get_result(connection)?;
            wrong_counters += differing.found;
        }
    }
    let figures = RecountFigures {
        sessions: compared.sessions,
        wrong_sessions: compared.wrong,
        missing_sessions: missing.found,
        wrong_counters,
    };
    Ok(RecountReport::of(bounds, figures)?)
}
