//! Connections that are cut, and servers that keep one waiting.

use std::sync::Arc;
use std::time::Duration;

use chat_domain::ChatError;
use chat_domain::model::{AgentId, AgentUpdate, Timestamp};
use chat_domain::ports::{AgentDirectory as _, StatsReader as _};
use chat_postgres::{PgConfig, PgStore};
use chat_testkit::RecordingNotifier;
use diesel::connection::SimpleConnection;
use test_servers::postgres::TestDatabase;

use crate::support::{connect, migrated};

async fn open(config: PgConfig) -> PgStore {
    PgStore::open(config, Arc::new(RecordingNotifier::default())).await.unwrap()
}

fn cut_all(database: &TestDatabase) {
    database.sql(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
}

#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn reads_after_all_connections_were_cut_find_new_ones() {
    let database = migrated();
    let store = open(PgConfig { readers: 4, ..PgConfig::new(database.url()) }).await;
    let id = AgentId::parse("amy").unwrap();
    for _ in 0..3 {
        // More reads than connections, so that every connection is made before it is cut.
        let reads: Vec<_> = (0..8)
            .map(|_| Arc::clone(&store.stats))
            .map(|stats| tokio::spawn(async move { stats.read().await }))
            .collect();
        for read in reads {
            read.await.unwrap().unwrap();
        }
        cut_all(&database);
        store.stats.read().await.unwrap();
        let (agent, _) =
            store.agents.put(id.clone(), AgentUpdate::default(), Timestamp::from_unix_ms(1)).await.unwrap();
        assert!(agent.active);
    }
    store.close().await;
}

/// Whether the second of two reads makes a connection.
async fn makes_a_connection(store: &PgStore, database: &TestDatabase) -> bool {
    store.stats.read().await.unwrap();
    let between = database.sql("SELECT clock_timestamp()");
    store.stats.read().await.unwrap();
    // Connections that end are still listed for a moment, so their beginning is asked for.
    let newer = database.sql(&format!(
        "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'chat-server' AND backend_start > '{}'",
        between.trim()
    ));
    newer.trim() != "0"
}

/// A URL may name several servers. A connection that is never replaced stays with a server that has become a standby.
#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn connections_that_read_are_replaced_when_they_are_old() {
    let database = migrated();
    let config = PgConfig { readers: 1, writers: 1, ..PgConfig::new(database.url()) };
    assert_eq!((config.reader_lifetime, config.reader_check), (Duration::from_mins(30), Duration::from_secs(10)));
    let (id, update, at) = (AgentId::parse("amy").unwrap(), AgentUpdate::default(), Timestamp::from_unix_ms(1));
    for (reader_lifetime, are_replaced) in [(config.reader_lifetime, false), (Duration::from_millis(1), true)] {
        let store = open(PgConfig { reader_lifetime, ..config.clone() }).await;
        // The connection that writes is made now, and not between the reads.
        store.agents.put(id.clone(), update.clone(), at).await.unwrap();
        assert_eq!(makes_a_connection(&store, &database).await, are_replaced, "{reader_lifetime:?}");
        store.close().await;
    }
}

#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_locked_table_is_unavailable_in_time_and_available_again() {
    let database = migrated();
    let lock_timeout = Duration::from_millis(100);
    let store = open(PgConfig { lock_timeout, ..PgConfig::new(database.url()) }).await;
    let mut other = connect(&database);
    other.batch_execute("BEGIN; LOCK TABLE chat_stats IN ACCESS EXCLUSIVE MODE").unwrap();
    let read = store.stats.read().await;
    assert!(matches!(&read, Err(ChatError::Unavailable { reason, .. }) if reason.contains("lock timeout")), "{read:?}");
    other.batch_execute("ROLLBACK").unwrap();
    store.stats.read().await.unwrap();
    store.close().await;
}

#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_statement_that_takes_too_long_is_ended_by_the_server() {
    let database = migrated();
    let statement_timeout = Duration::from_millis(100);
    let store = open(PgConfig { statement_timeout, ..PgConfig::new(database.url()) }).await;
    let mut other = connect(&database);
    other.batch_execute("BEGIN; LOCK TABLE chat_stats IN ACCESS EXCLUSIVE MODE").unwrap();
    let read = store.stats.read().await;
    let ended = "statement timeout";
    assert!(matches!(&read, Err(ChatError::Unavailable { reason, .. }) if reason.contains(ended)), "{read:?}");
    other.batch_execute("ROLLBACK").unwrap();
    store.stats.read().await.unwrap();
    store.close().await;
}

#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_store_with_pending_migrations_does_not_open() {
    let database = migrated();
    let undone = chat_postgres::migrate::down(database.url(), 1).unwrap();
    let opened = PgStore::open(PgConfig::new(database.url()), Arc::new(RecordingNotifier::default())).await;
    let error = opened.err().unwrap().to_string();
    assert!(error.contains(&undone[0]) && error.contains("chat-server migrate up"), "{error}");
}

#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_copy_of_a_database_has_its_identity_and_no_other_database_has() {
    let (one, copy) = (migrated(), migrated());
    let other = TestDatabase::empty();
    chat_postgres::migrate::up(other.url()).unwrap();
    let mut identities = Vec::new();
    for database in [&one, &copy, &other] {
        let store = open(PgConfig::new(database.url())).await;
        identities.push(store.identity().to_owned());
        store.close().await;
    }
    assert_eq!(identities[0], identities[1]);
    assert_ne!(identities[0], identities[2]);
    assert!(identities.iter().all(|identity| identity.len() == 32), "{identities:?}");
}
