//! What an operator asks about a database without starting a node on it: how it is set up, and whether its counters are
//! those of its rows. Changes nothing.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chat_domain::ChatError;
use chat_sql::{RecountBounds, RecountFigures};
pub use chat_sql::{RecountReport, RecountScope};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text, Uuid as DbUuid};
use uuid::Uuid;

use crate::connection::PgTarget;
use crate::error::{Failure, MigrateError, OpenError};
use crate::instance;
use crate::migrate;
use crate::url::PgUrl;

/// How long to wait for a lock.
const PATIENCE: Duration = Duration::from_secs(5);

/// How a server and a database on it are set up, for the role that asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PgFacts {
    /// The server's version, such as `15.14`.
    pub version: String,
    /// How long a statement took, there and back.
    pub round_trip: Duration,
    /// Whether the server takes no writes: it is a standby, or set to be read-only.
    pub is_read_only: bool,
    /// The encoding of the database, such as `UTF8`.
    pub encoding: String,
    /// When a commit returns, such as `on`.
    pub synchronous_commit: String,
    /// Whether the server makes sure that what it writes is on the disk.
    pub fsync: bool,
    /// The most connections that the role can have to the database.
    pub max_connections: i64,
    /// The connections that there are, of nodes on this database.
    pub node_connections: i64,
    /// The connections that there are besides.
    pub other_connections: i64,
    /// How far the clock of the server is ahead of this machine's, in milliseconds.
    pub clock_ahead_ms: i64,
}

#[derive(QueryableByName)]
struct PgSettings {
    #[diesel(sql_type = Text)]
    version: String,
    #[diesel(sql_type = Bool)]
    is_read_only: bool,
    #[diesel(sql_type = Text)]
    encoding: String,
    #[diesel(sql_type = Text)]
    synchronous_commit: String,
    #[diesel(sql_type = Bool)]
    fsync: bool,
    #[diesel(sql_type = BigInt)]
    max_connections: i64,
    #[diesel(sql_type = BigInt)]
    node_connections: i64,
    #[diesel(sql_type = BigInt)]
    all_connections: i64,
}

/// Limits of the database and of the role are -1 where there is none. Connections of other roles show no name to a role
/// without the right to see it; they count as those of others.
const SETTINGS: &str = "
    SELECT current_setting('server_version') AS version,
           pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' AS is_read_only,
           current_setting('server_encoding') AS encoding,
           current_setting('synchronous_commit') AS synchronous_commit,
           current_setting('fsync') = 'on' AS fsync,
           (SELECT min(most) FROM (
                SELECT current_setting('max_connections')::BIGINT
                       - current_setting('superuser_reserved_connections')::BIGINT AS most
                UNION ALL SELECT datconnlimit FROM pg_database WHERE datname = current_database() AND datconnlimit >= 0
                UNION ALL SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user AND rolconnlimit >= 0
           ) AS limits) AS max_connections,
           (SELECT count(*) FROM pg_stat_activity
             WHERE application_name = 'chat-server' AND datname = current_database() AND pid <> pg_backend_pid()
           ) AS node_connections,
           (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
           ) AS all_connections";

#[derive(QueryableByName)]
struct PgClockRow {
    #[diesel(sql_type = BigInt)]
    ms: i64,
}

/// How the server and the database are set up. It is asked of any server that the URL names, also of one that takes no
/// writes, unless the URL says otherwise. Blocks.
///
/// # Errors
/// When the URL is wrong or no server can be reached.
pub fn facts(url: &str) -> Result<PgFacts, OpenError> {
    let url = PgUrl::parse(url).map_err(|problem| OpenError::Url { problem })?;
    url.check_tls()?;
    let failed = |reason: String| OpenError::Connect { database: url.shown().to_owned(), reason };
    // First as a node does: of several hosts, one may take writes.
    let connected = PgTarget::migrator(&url, PATIENCE).connect();
    let connected = connected.or_else(|error| PgTarget::onlooker(&url, PATIENCE).connect().map_err(|_| error));
    let mut connection = connected.map_err(|error| failed(error.to_string()))?;
    look(&mut connection).map_err(|error| failed(error.to_string()))
}

fn look(connection: &mut PgConnection) -> QueryResult<PgFacts> {
    let found: PgSettings = diesel::sql_query(SETTINGS).get_result(connection)?;
    let (asked, asked_at) = (Instant::now(), SystemTime::now());
    let clock: PgClockRow = diesel::sql_query("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT AS ms")
        .get_result(connection)?;
    let round_trip = asked.elapsed();
    // The server has looked at its clock about half-way.
    let here = asked_at.duration_since(UNIX_EPOCH).unwrap_or_default() + round_trip / 2;
    Ok(PgFacts {
        version: found.version,
        round_trip,
        is_read_only: found.is_read_only,
        encoding: found.encoding,
        synchronous_commit: found.synchronous_commit,
        fsync: found.fsync,
        max_connections: found.max_connections,
        node_connections: found.node_connections,
        other_connections: found.all_connections - found.node_connections,
        clock_ahead_ms: clock.ms.saturating_sub(i64::try_from(here.as_millis()).unwrap_or(i64::MAX)),
    })
}

/// The names of the migrations that the database lacks. Blocks.
///
/// # Errors
/// When the database cannot be asked, or has a migration that this program does not know.
pub fn pending(url: &str) -> Result<Vec<String>, MigrateError> {
    migrate::pending(&PgUrl::parse(url).map_err(|problem| OpenError::Url { problem })?)
}

/// Which database it is: 32 hexadecimal digits. Blocks.
///
/// # Errors
/// When the database cannot be reached, or has no schema.
pub fn identity(url: &str) -> Result<String, OpenError> {
    let url = PgUrl::parse(url).map_err(|problem| OpenError::Url { problem })?;
    let connected = PgTarget::onlooker(&url, PATIENCE).connect().map_err(|error| error.to_string());
    let identity =
        connected.and_then(|mut connection| instance::identity(&mut connection).map_err(|error| error.to_string()));
    identity.map_err(|reason| OpenError::Identity { database: url.shown().to_owned(), reason })
}

/// Compares counters with the rows that they count, all at one moment. `random` chooses the sample. Blocks.
///
/// # Errors
/// When the database cannot be reached or asked.
pub fn recount(url: &str, scope: RecountScope, random: u128) -> Result<RecountReport, OpenError> {
    let url = PgUrl::parse(url).map_err(|problem| OpenError::Url { problem })?;
    url.check_tls()?;
    let failed = |reason: String| OpenError::Connect { database: url.shown().to_owned(), reason };
    let connected = PgTarget::onlooker(&url, PATIENCE).connect();
    let mut connection = connected.map_err(|error| failed(error.to_string()))?;
    let counted = connection.build_transaction().read_only().repeatable_read().run(|connection| {
        let counters: PgTotals = diesel::sql_query(COUNTERS).get_result(connection)?;
        let bounds = RecountBounds::new(scope, counters.sessions, counters.messages);
        count(connection, bounds, random)
    });
    counted.map_err(|failure| failed(ChatError::from(failure).to_string()))
}

#[derive(QueryableByName)]
struct PgTotals {
    #[diesel(sql_type = BigInt)]
    sessions: i64,
    #[diesel(sql_type = BigInt)]
    messages: i64,
}

const COUNTERS: &str =
    "SELECT coalesce(sum(opened), 0)::BIGINT AS sessions, coalesce(sum(messages), 0)::BIGINT AS messages
                        FROM chat_stats";

#[derive(QueryableByName)]
struct PgIdRange {
    #[diesel(sql_type = DbUuid)]
    first: Uuid,
    #[diesel(sql_type = DbUuid)]
    last: Uuid,
}

const ENDS: &str = "
    SELECT lower.id AS first, upper.id AS last
    FROM (SELECT id FROM chat_sessions ORDER BY id LIMIT 1) AS lower,
         (SELECT id FROM chat_sessions ORDER BY id DESC LIMIT 1) AS upper";

#[derive(QueryableByName)]
struct PgFoundCount {
    #[diesel(sql_type = BigInt)]
    found: i64,
}

#[derive(QueryableByName)]
struct PgComparison {
    #[diesel(sql_type = BigInt)]
    sessions: i64,
    #[diesel(sql_type = BigInt)]
    wrong: i64,
}

/// `$1` is where the sample begins, `$2` how many there are of it.
const SESSIONS: &str = "
    WITH sample AS (
        (SELECT id, message_count, last_seq FROM chat_sessions WHERE id >= $1 ORDER BY id LIMIT $2)
        UNION
        (SELECT id, message_count, last_seq FROM chat_sessions ORDER BY id DESC LIMIT $2)
    )
    SELECT count(*) AS sessions,
           count(*) FILTER (WHERE message_count <> messages OR last_seq <> messages + events) AS wrong
    FROM sample
    CROSS JOIN LATERAL (SELECT count(*) AS messages FROM chat_messages WHERE session_id = sample.id) AS of_messages
    CROSS JOIN LATERAL (SELECT count(*) AS events FROM chat_session_events WHERE session_id = sample.id) AS of_events";

/// As above, in rows of messages and of events.
const MISSING: &str = "
    WITH sample AS (
        (SELECT session_id FROM chat_messages WHERE session_id >= $1 ORDER BY session_id, seq LIMIT $2)
        UNION
        (SELECT session_id FROM chat_session_events WHERE session_id >= $1 ORDER BY session_id, seq LIMIT $2)
    )
    SELECT count(*) AS found FROM sample WHERE NOT EXISTS (SELECT 1 FROM chat_sessions WHERE id = sample.session_id)";

/// The numbers of sessions of each kind that differ.
const NUMBERS: &str = "
    WITH kept AS (
        SELECT scope, holder, status, sum(count) AS kept FROM chat_session_counts GROUP BY scope, holder, status
    ),
    counted AS (
        SELECT 'all' AS scope, '' AS holder, status, count(*) AS counted FROM chat_sessions GROUP BY status
        UNION ALL
        SELECT 'user', user_id, status, count(*) FROM chat_sessions GROUP BY user_id, status
        UNION ALL
        SELECT 'agent', agent_id, status, count(*) FROM chat_sessions
            WHERE agent_id IS NOT NULL GROUP BY agent_id, status
        UNION ALL
        SELECT 'unassigned', '', status, count(*) FROM chat_sessions WHERE agent_id IS NULL GROUP BY status
    )
    SELECT count(*) AS found FROM kept FULL JOIN counted USING (scope, holder, status)
    WHERE coalesce(kept, 0) <> coalesce(counted, 0)";

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
               max(CASE WHEN sender = 'user' AND before IS DISTINCT FROM 'user' THEN seq END)
                   OVER (PARTITION BY session_id ORDER BY seq) AS run
        FROM in_order
    ),
    answers AS (
        SELECT greatest(0, with_run.created_at - head.created_at) AS took
        FROM with_run JOIN chat_messages AS head ON head.session_id = with_run.session_id AND head.seq = with_run.run
        WHERE with_run.sender = 'support' AND with_run.before = 'user'
    ),
    kept AS (
        SELECT coalesce(sum(opened), 0) AS opened, coalesce(sum(closed), 0) AS closed,
               coalesce(sum(messages), 0) AS messages, coalesce(sum(responses), 0) AS responses,
               coalesce(sum(response_time_ms), 0) AS response_time_ms
        FROM chat_stats
    )
    SELECT (opened <> (SELECT count(*) FROM chat_sessions))::INT::BIGINT
           + (closed <> (SELECT count(*) FROM chat_sessions WHERE status = 'closed'))::INT
           + (messages <> (SELECT count(*) FROM chat_messages))::INT
           + (responses <> (SELECT count(*) FROM answers))::INT
           + (response_time_ms <> (SELECT coalesce(sum(took), 0) FROM answers))::INT AS found
    FROM kept";

fn count(connection: &mut PgConnection, bounds: RecountBounds, random: u128) -> Result<RecountReport, Failure> {
    let ends: Option<PgIdRange> = diesel::sql_query(ENDS).get_result(connection).optional()?;
    let start = ends.map_or(0, |ends| bounds.start(ends.first.as_u128(), ends.last.as_u128(), random));
    let start = Uuid::from_u128(start);
    let sample = |query: &str| diesel::sql_query(query.to_owned()).bind::<DbUuid, _>(start);
    let compared: PgComparison = sample(SESSIONS).bind::<BigInt, _>(bounds.sessions).get_result(connection)?;
    let missing: PgFoundCount = sample(MISSING).bind::<BigInt, _>(bounds.rows).get_result(connection)?;
    let mut wrong_counters = 0;
    if bounds.is_complete {
        for query in [NUMBERS, STATISTICS] {
            let differing: PgFoundCount = diesel::sql_query(query).get_result(connection)?;
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
