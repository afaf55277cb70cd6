//! Databases of the tests' own.

use std::process::Command;
use std::time::Duration;

use chat_domain::model::{MessageCursor, MessageId, MessageQuery, SessionId};
use chat_domain::ports::MessageRepository as _;
use chat_postgres::{PgConfig, PgStore, migrate};
use chat_testkit::fixtures;
use diesel::prelude::*;
use test_servers::postgres::{KeepRows, PrivatePostgres, TestDatabase, find_programs};

/// How long a test waits for something that should come at once, on a machine that may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// Looks now and then until what is waited for is there, such as what another process writes, which does not announce it.
pub(crate) async fn eventually(what: &str, mut look: impl AsyncFnMut() -> bool) {
    let reached = async {
        while !look().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, reached).await.is_ok(), "not in time: {what}");
}

/// An empty database.
pub(crate) fn empty() -> TestDatabase {
    TestDatabase::empty()
}

/// A database with all migrations.
pub(crate) fn migrated() -> TestDatabase {
    TestDatabase::from_template("migrated", |url| {
        migrate::up(url).unwrap();
    })
}

/// A database with all migrations on a server of its own, without autovacuum, for tests of where versions of rows are put.
/// Elsewhere a transaction of another database, or autovacuum, may still see old versions, which then keep their page full.
pub(crate) fn undisturbed() -> (PrivatePostgres, TestDatabase) {
    let server = PrivatePostgres::start(&[("fsync", "off"), ("autovacuum", "off")]).unwrap();
    let database = TestDatabase::on(&server);
    migrate::up(database.url()).unwrap();
    (server, database)
}

/// A database with all migrations and no rows, which an earlier test may have had, for tests that leave the schema alone.
pub(crate) fn reused() -> TestDatabase {
    TestDatabase::reused(
        "migrated",
        KeepRows::Of(&["__diesel_schema_migrations", "chat_epoch", "chat_fanout_key", "chat_identity"]),
        |url| {
            migrate::up(url).unwrap();
        },
    )
}

/// With so much time for a read or a write to wait for its turn that the speed of the machine decides nothing, for tests
/// that start hundreds at once. Locks and statements keep their limits, so a deadlock or a lock that is never released
/// still fails them.
pub(crate) fn unhurried(config: PgConfig) -> PgConfig {
    PgConfig { read_timeout: Duration::from_mins(2), write_timeout: Duration::from_mins(2), ..config }
}

/// A connection to it.
pub(crate) fn connect(database: &TestDatabase) -> PgConnection {
    PgConnection::establish(database.url()).unwrap()
}

/// The definition of everything that is in the database, as `pg_dump` tells it.
pub(crate) fn dump(database: &TestDatabase) -> String {
    let mut pg_dump = Command::new(find_programs().unwrap().join("pg_dump"));
    let dumped = pg_dump.args(["--schema-only", "--no-owner", "--dbname", database.url()]).output().unwrap();
    assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
    let text = String::from_utf8(dumped.stdout).unwrap();
    // Newer versions frame a dump with commands that hold a random word.
    let random = |line: &&str| line.starts_with("\\restrict") || line.starts_with("\\unrestrict");
    text.lines().filter(|line| !random(line)).collect::<Vec<_>>().join("\n")
}

/// The ids of a session's messages, oldest first.
pub(crate) async fn message_ids(store: &PgStore, session: SessionId) -> Vec<MessageId> {
    let query = MessageQuery { cursor: MessageCursor::Newest, limit: fixtures::limit(100), known: None };
    let page = store.messages.page(session, query).await.unwrap().unwrap().page.page().unwrap();
    page.messages.iter().map(|message| message.id).collect()
}
