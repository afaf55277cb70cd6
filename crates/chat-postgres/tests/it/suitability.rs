//! Databases, and ways to them, on which the store cannot work are refused before anything is written.

use std::sync::Arc;

use chat_domain::ports::{MessageRepository as _, SessionRepository as _};
use chat_postgres::{OpenError, PgConfig, PgStore, migrate};
use chat_testkit::RecordingNotifier;
use chat_testkit::fixtures::{alice, draft, new_session, session_id};
use test_servers::postgres::{PoolMode, PrivatePooler, PrivatePostgres, TestDatabase};

use crate::support::{dump, empty, migrated};

async fn open(url: &str) -> Result<PgStore, OpenError> {
    PgStore::open(PgConfig::new(url), Arc::new(RecordingNotifier::new())).await
}

#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_pooler_that_gives_sessions_away_is_refused_and_nothing_is_written() {
    for mode in [PoolMode::Transaction, PoolMode::Statement] {
        let (fresh, ready) = (empty(), migrated());
        let (to_fresh, to_ready) =
            (PrivatePooler::start(&fresh, mode).unwrap(), PrivatePooler::start(&ready, mode).unwrap());
        let before = (dump(&fresh), dump(&ready));
        let refusals = [
            migrate::up(&to_fresh.url()).unwrap_err().to_string(),
            migrate::down(&to_ready.url(), 1).unwrap_err().to_string(),
            open(&to_fresh.url()).await.err().unwrap().to_string(),
            open(&to_ready.url()).await.err().unwrap().to_string(),
        ];
        for text in refusals {
            assert!(text.contains("pool_mode = session") && text.contains("nothing was changed"), "{mode:?}: {text}");
        }
        assert_eq!((dump(&fresh), dump(&ready)), before);
        let settings = "SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND query ILIKE '%statement_timeout%' AND pid <> pg_backend_pid()";
        assert_eq!(fresh.sql(settings), "0", "no setting is left on a session that others get");
    }
}

#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_pooler_that_keeps_sessions_is_no_obstacle() {
    let database = empty();
    let pooler = PrivatePooler::start(&database, PoolMode::Session).unwrap();
    migrate::up(&pooler.url()).unwrap();
    let store = open(&pooler.url()).await.unwrap();
    store.sessions.open(new_session(1), alice(), None).await.unwrap();
    store.messages.append(draft(session_id(1), &alice(), 1)).await.unwrap();
    store.close().await;
    assert_eq!(database.sql("SELECT count(*) FROM chat_messages"), "1");
}

/// A database beside the test's own, on the same server, which is dropped with the value.
struct Other<'a>(&'a TestDatabase, String);

impl<'a> Other<'a> {
    fn new(beside: &'a TestDatabase, encoding: &str) -> Self {
        let name = format!("{}_{}", beside.name(), encoding.to_lowercase());
        beside.sql(&format!("CREATE DATABASE \"{name}\" ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0"));
        Self(beside, name)
    }

    fn url(&self) -> String {
        self.0.url().replace(self.0.name(), &self.1)
    }
}

impl Drop for Other<'_> {
    fn drop(&mut self) {
        self.0.sql(&format!("DROP DATABASE \"{}\" WITH (FORCE)", self.1));
    }
}

#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_database_that_is_not_utf_8_is_refused_with_its_encoding() {
    let database = empty();
    for encoding in ["LATIN1", "SQL_ASCII"] {
        let other = Other::new(&database, encoding);
        let refusals =
            [migrate::up(&other.url()).unwrap_err().to_string(), open(&other.url()).await.err().unwrap().to_string()];
        for text in refusals {
            for part in [encoding, "ENCODING 'UTF8'", "TEMPLATE template0"] {
                assert!(text.contains(part), "{text}");
            }
        }
        assert!(migrate::status(&other.url()).unwrap().iter().all(|step| !step.applied), "nothing was written");
    }
    // What the message says to do works.
    let utf8 = Other::new(&database, "UTF8");
    migrate::up(&utf8.url()).unwrap();
    open(&utf8.url()).await.unwrap().close().await;
}

#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_login_role_that_becomes_the_owner_of_the_tables_is_no_obstacle() {
    // Roles belong to a server, so it is one of the test's own.
    let server = PrivatePostgres::start(&[("fsync", "off")]).unwrap();
    let database = TestDatabase::on(&server);
    database.sql(&format!(
        "CREATE ROLE app_owner NOLOGIN; CREATE ROLE app_login LOGIN IN ROLE app_owner;
         ALTER ROLE app_login SET role = app_owner;
         ALTER DATABASE {} OWNER TO app_owner",
        database.name()
    ));
    let url = database.url().replace("postgres://postgres@", "postgres://app_login@");
    assert!(url.contains("app_login"), "{url}");
    migrate::up(&url).unwrap();
    assert_eq!(database.sql("SELECT DISTINCT tableowner FROM pg_tables WHERE tablename LIKE 'chat%'"), "app_owner");
    let store = open(&url).await.unwrap();
    store.sessions.open(new_session(1), alice(), None).await.unwrap();
    store.close().await;
    migrate::down(&url, usize::MAX).unwrap();
}

#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn only_a_database_without_its_identity_is_to_be_restored() {
    let database = migrated();
    database.sql("ALTER TABLE chat_identity RENAME TO elsewhere");
    let error = open(database.url()).await.err().unwrap();
    assert!(matches!(error, OpenError::Identity { .. }) && !error.to_string().contains("restore"), "{error}");
    database.sql("ALTER TABLE elsewhere RENAME TO chat_identity; DELETE FROM chat_identity");
    let error = open(database.url()).await.err().unwrap();
    assert!(matches!(error, OpenError::NoIdentity { .. }), "{error}");
    assert!(error.to_string().contains("restore the database from a backup"), "{error}");
}
