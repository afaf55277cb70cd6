//! How connections to the database are made, and the settings that each of them gets before it is used.

use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, CustomizeConnection, ManageConnection};
use diesel::sql_types::Text;

use crate::config::PgConfig;
use crate::url::PgUrl;

/// How long a session may sit in a transaction before the server ends it. A node that is frozen in the middle of a
/// transaction holds locks that all other nodes wait for.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(10);

/// How statements are planned.
pub(crate) const PLANS: &str = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; \
                                SET enable_bitmapscan = off; SET enable_sort = off;";

/// A database and how to talk to it.
#[derive(Clone)]
pub(crate) struct PgTarget {
    url: String,
    settings: String,
    lock_timeout: Duration,
    read_write: bool,
}

impl PgTarget {
    /// For connections that read and write rows.
    pub(crate) fn rows(database: &PgUrl, config: &PgConfig) -> Self {
        let (url, settings) = (with_defaults(database, config.connect_timeout, READ_WRITE), settings(config));
        let read_write = asks_for_read_write(database);
        Self { url, settings, lock_timeout: config.lock_timeout, read_write }
    }

    /// For a connection that changes the schema: its statements take as long as they take, and `patience` to get a lock.
    pub(crate) fn migrator(url: &PgUrl, patience: Duration) -> Self {
        let settings =
            format!("SET lock_timeout = {}; SET statement_timeout = 0; SET timezone = 'UTC';", patience.as_millis());
        let read_write = asks_for_read_write(url);
        Self {
            url: with_defaults(url, Duration::from_secs(3), READ_WRITE),
            settings,
            lock_timeout: patience,
            read_write,
        }
    }

    /// For a connection that only looks, also at a server that takes no writes.
    pub(crate) fn onlooker(url: &PgUrl, patience: Duration) -> Self {
        Self { url: with_defaults(url, Duration::from_secs(3), "any"), ..Self::migrator(url, patience) }
    }

    /// How long its connections wait for a lock.
    pub(crate) fn lock_timeout(&self) -> Duration {
        self.lock_timeout
    }

    /// Makes a connection.
    pub(crate) fn connect(&self) -> ConnectionResult<PgConnection> {
        let mut connection = PgConnection::establish(&self.url)?;
        connection.batch_execute(&self.settings).map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(connection)
    }

    /// Makes a connection and sets nothing on it: behind a pooler others may have the same connection.
    pub(crate) fn connect_bare(&self) -> ConnectionResult<PgConnection> {
        PgConnection::establish(&self.url)
    }

    /// Makes connections for a pool, which has to tell each of them what [`Self::prepare`] says.
    pub(crate) fn manager(&self) -> ReaderManager {
        ReaderManager { connections: ConnectionManager::new(self.url.clone()), read_write: self.read_write }
    }

    /// Tells a pooled connection what [`Self::connect`] tells one.
    pub(crate) fn prepare(&self) -> Box<dyn CustomizeConnection<PgConnection, diesel::r2d2::Error>> {
        Box::new(PgCustomizer { settings: self.settings.clone() })
    }
}

#[derive(Debug)]
struct PgCustomizer {
    settings: String,
}

impl CustomizeConnection<PgConnection, diesel::r2d2::Error> for PgCustomizer {
    fn on_acquire(&self, connection: &mut PgConnection) -> Result<(), diesel::r2d2::Error> {
        connection.batch_execute(&self.settings).map_err(diesel::r2d2::Error::QueryError)
    }
}

/// Of several hosts, libpq is to choose a server that takes writes. A standby shows the past, and for as long as it likes.
const READ_WRITE: &str = "read-write";

/// Makes the connections that read.
pub(crate) struct ReaderManager {
    connections: ConnectionManager<PgConnection>,
    /// Whether a connection must lead to a server that takes writes: it must, unless the URL asks for another kind.
    read_write: bool,
}

impl ManageConnection for ReaderManager {
    type Connection = PgConnection;
    type Error = diesel::r2d2::Error;

    fn connect(&self) -> Result<PgConnection, Self::Error> {
        self.connections.connect()
    }

    /// Whether a connection that was made now would lead there: through a proxy, a server that has become a standby may
    /// stay connected.
    fn is_valid(&self, connection: &mut PgConnection) -> Result<(), Self::Error> {
        if !self.read_write {
            return Ok(());
        }
        let read_only = diesel::select(sql::<Text>("current_setting('transaction_read_only')"));
        let read_only: String = read_only.get_result(connection).map_err(diesel::r2d2::Error::QueryError)?;
        if read_only == "off" {
            return Ok(());
        }
        let reason = "the server takes no writes any more".to_owned();
        Err(diesel::r2d2::Error::ConnectionError(ConnectionError::BadConnection(reason)))
    }

    fn has_broken(&self, connection: &mut PgConnection) -> bool {
        self.connections.has_broken(connection)
    }
}

/// The URL with what libpq needs to notice a server that is gone: the network alone would take up to two hours. What the
/// URL says itself goes first.
fn with_defaults(url: &PgUrl, connect_timeout: Duration, session_attrs: &str) -> String {
    // libpq takes whole seconds, 0 as "without limit", and less than 2 as 2.
    let connect_timeout = connect_timeout.as_millis().div_ceil(1000).max(2);
    url.with_defaults(&[
        ("connect_timeout", connect_timeout.to_string()),
        ("keepalives", "1".to_owned()),
        ("keepalives_idle", "5".to_owned()),
        ("keepalives_interval", "2".to_owned()),
        ("keepalives_count", "3".to_owned()),
        ("tcp_user_timeout", "10000".to_owned()),
        ("target_session_attrs", session_attrs.to_owned()),
        ("fallback_application_name", "chat-server".to_owned()),
    ])
}

/// Whether connections lead to servers that take writes.
fn asks_for_read_write(url: &PgUrl) -> bool {
    url.parameter("target_session_attrs").is_none_or(|asked| matches!(asked, READ_WRITE | "primary"))
}

/// Statements, and not the URL's `options`, which an operator may need and some poolers refuse.
///
/// Each statement is planned once per connection. Planning takes longer than running most of them, and the planner would
/// do it again for every call where it finds that a plan for the very values might be cheaper. For a plan that must be
/// good for all values it guesses that an array has ten entries and a `LIMIT` a tenth of the rows, and so might read or
/// sort whole tables; every statement here has an index in its order, so scans and sorts are ruled out where there is
/// another way. Tests look at the plans under these settings.
///
/// The server is to notice a node that is gone as the node notices a server: its locks and its counter rows become free.
///
/// Compiling a plan to machine code (`jit`) takes longer than any statement here runs. Whatever the server's default is,
/// a commit is on its disk before it is answered; a default that waits for more than that is kept.
fn settings(config: &PgConfig) -> String {
    format!(
        "SET lock_timeout = {};
         SET statement_timeout = {};
         SET idle_in_transaction_session_timeout = {};
         SET jit = off;
         SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3;
         {PLANS}
         SET timezone = 'UTC';
         SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';",
        config.lock_timeout.as_millis(),
        config.statement_timeout.as_millis(),
        IDLE_IN_TRANSACTION.as_millis(),
    )
}

#[cfg(test)]
mod tests {
    use diesel::sql_types::Text;
    use test_servers::postgres::TestDatabase;

    use super::*;

    #[derive(QueryableByName)]
    struct Setting {
        #[diesel(sql_type = Text)]
        value: String,
    }

    fn value(connection: &mut PgConnection, name: &str) -> String {
        let setting: Setting = diesel::sql_query("SELECT current_setting($1) AS value")
            .bind::<Text, _>(name)
            .get_result(connection)
            .unwrap();
        setting.value
    }

    fn target(url: &str) -> PgTarget {
        let config = PgConfig { lock_timeout: Duration::from_millis(1500), ..PgConfig::new(url) };
        PgTarget::rows(&PgUrl::parse(url).unwrap(), &config)
    }

    #[test]
    #[ignore = "needs Postgres: cargo xtask test"]
    fn a_connection_knows_its_limits_however_it_is_made() {
        let database = TestDatabase::empty();
        let target = target(database.url());
        let pool = diesel::r2d2::Pool::builder().max_size(1).connection_customizer(target.prepare());
        let pool = pool.build(target.manager()).unwrap();
        let mut pooled = pool.get().unwrap();
        for connection in [&mut target.connect().unwrap(), &mut *pooled] {
            for (name, expected) in [
                ("application_name", "chat-server"),
                ("client_encoding", "UTF8"),
                ("idle_in_transaction_session_timeout", "10s"),
                ("jit", "off"),
                ("lock_timeout", "1500ms"),
                ("statement_timeout", "4s"),
                ("synchronous_commit", "on"),
                ("TimeZone", "UTC"),
            ] {
                assert_eq!(value(connection, name), expected, "{name}");
            }
        }
    }

    #[test]
    #[ignore = "needs Postgres: cargo xtask test"]
    fn a_commit_is_durable_whatever_the_database_says_and_a_stronger_promise_is_kept() {
        let database = TestDatabase::empty();
        for (default, expected) in [("off", "on"), ("remote_apply", "remote_apply")] {
            let name = database.name();
            database.sql(&format!("ALTER DATABASE \"{name}\" SET synchronous_commit = {default}"));
            assert_eq!(value(&mut target(database.url()).connect().unwrap(), "synchronous_commit"), expected);
        }
    }

    #[test]
    #[ignore = "needs Postgres: cargo xtask test"]
    fn settings_in_the_url_take_precedence() {
        let database = TestDatabase::empty();
        let separator = if database.url().contains('?') { '&' } else { '?' };
        let url = format!("{}{separator}application_name=desk", database.url());
        assert_eq!(value(&mut target(&url).connect().unwrap(), "application_name"), "desk");
    }

    #[test]
    #[ignore = "needs Postgres: cargo xtask test"]
    fn a_migration_takes_as_long_as_it_takes() {
        let database = TestDatabase::empty();
        let target = PgTarget::migrator(&PgUrl::parse(database.url()).unwrap(), Duration::from_secs(7));
        let mut connection = target.connect().unwrap();
        assert_eq!(value(&mut connection, "lock_timeout"), "7s");
        assert_eq!(value(&mut connection, "statement_timeout"), "0");
    }

    #[test]
    #[ignore = "needs Postgres: cargo xtask test"]
    fn a_reading_connection_to_a_server_that_takes_no_writes_is_of_no_use_unless_the_url_asks_for_it() {
        let database = TestDatabase::empty();
        let separator = if database.url().contains('?') { '&' } else { '?' };
        for (asked, expected) in
            [("", false), ("target_session_attrs=primary", false), ("target_session_attrs=any", true)]
        {
            let manager = target(&format!("{}{separator}{asked}", database.url())).manager();
            let mut connection = manager.connect().unwrap();
            manager.is_valid(&mut connection).unwrap();
            connection.batch_execute("SET default_transaction_read_only = on").unwrap();
            assert_eq!(manager.is_valid(&mut connection).is_ok(), expected, "{asked}");
        }
    }
}
