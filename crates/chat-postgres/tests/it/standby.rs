//! A primary with a standby, both named in the URL, the standby first.

use std::sync::Arc;

use chat_domain::model::MessageDraft;
use chat_domain::ports::{
    HealthProbe as _, Marking, MessageRepository as _, OrphanRegistry as _, SessionRepository as _,
};
use chat_postgres::{OpenError, PgConfig, PgStore, fanout_credentials, migrate};
use chat_testkit::{RecordingNotifier, fixtures};
use test_servers::postgres::{PrivatePostgres, StopMode};

use crate::support::eventually;

/// Durability is not what these tests are about.
const QUICK: [(&str, &str); 2] = [("fsync", "off"), ("full_page_writes", "off")];

/// A migrated database on a primary, its standby, and the URL that names both.
fn pair() -> (PrivatePostgres, PrivatePostgres, String) {
    let primary = PrivatePostgres::start(&QUICK).unwrap();
    primary.sql("postgres", "CREATE DATABASE chat").unwrap();
    migrate::up(&primary.url("chat")).unwrap();
    let standby = primary.standby().unwrap();
    let url = format!("postgres://postgres@127.0.0.1:{},127.0.0.1:{}/chat", standby.port(), primary.port());
    (primary, standby, url)
}

async fn open(url: &str) -> PgStore {
    PgStore::open(PgConfig::new(url), Arc::new(RecordingNotifier::default())).await.unwrap()
}

async fn open_session(store: &PgStore, n: u64) -> chat_domain::model::SessionId {
    store.sessions.open(fixtures::new_session(n), fixtures::alice(), None).await.unwrap().session.id
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn reads_and_writes_go_to_the_server_that_takes_writes_and_follow_it() {
    let (primary, standby, url) = pair();
    // From here on the standby shows the past.
    standby.sql("chat", "SELECT pg_wal_replay_pause()").unwrap();
    let store = open(&url).await;
    let first = open_session(&store, 1).await;
    assert!(store.sessions.find(first).await.unwrap().is_some(), "reads see what was committed");
    store.health.check().await.unwrap();

    // A file whose message the standby does not know.
    let file = fixtures::attachment(1, b"kept");
    let draft =
        MessageDraft { attachments: vec![file.clone()].into(), ..fixtures::draft(first, &fixtures::alice(), 1) };
    store.messages.append(draft).await.unwrap();
    let mut round = store.orphans.begin_round().await.unwrap().unwrap();
    assert_eq!(round.mark(vec![file.id], fixtures::start()).await.unwrap(), Marking::default());
    assert_eq!(round.condemn(vec![file.id], fixtures::start()).await.unwrap(), []);
    drop(round);

    standby.sql("chat", "SELECT pg_wal_replay_resume()").unwrap();
    let position = primary.sql("chat", "SELECT pg_current_wal_lsn()").unwrap();
    let caught_up = format!("SELECT pg_last_wal_replay_lsn() >= '{position}'");
    eventually("the standby has caught up", async || standby.sql("chat", &caught_up).unwrap() == "t").await;
    primary.stop(StopMode::Immediate).unwrap();
    assert!(store.health.check().await.is_err(), "with the standby alone nothing can be written");
    assert!(store.sessions.find(first).await.is_err(), "what a standby shows may be old");
    assert!(store.orphans.begin_round().await.is_err(), "nor is anything collected there");

    standby.promote().unwrap();
    eventually("the store is ready", async || store.health.check().await.is_ok()).await;
    let second = open_session(&store, 2).await;
    for session in [first, second] {
        assert!(store.sessions.find(session).await.unwrap().is_some());
    }
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_database_that_becomes_read_only_is_not_ready() {
    let primary = PrivatePostgres::start(&QUICK).unwrap();
    primary.sql("postgres", "CREATE DATABASE chat").unwrap();
    migrate::up(&primary.url("chat")).unwrap();
    let store = open(&primary.url("chat")).await;
    store.health.check().await.unwrap();
    // What a managed database does when its disk is nearly full. Connections that are open are told so too.
    primary.sql("chat", "ALTER SYSTEM SET default_transaction_read_only = on").unwrap();
    primary.sql("chat", "SELECT pg_reload_conf()").unwrap();
    eventually("the store is not ready", async || store.health.check().await.is_err()).await;
    primary.sql("chat", "ALTER SYSTEM RESET default_transaction_read_only").unwrap();
    primary.sql("chat", "SELECT pg_reload_conf()").unwrap();
    eventually("the store is ready", async || store.health.check().await.is_ok()).await;
    store.close().await;
}

/// The URL may ask for any server. A standby does not know the timeline of its primary, so a name from there would not
/// be the name that the other nodes have.
#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn fanout_credentials_are_not_read_from_a_standby() {
    let (primary, standby, url) = pair();
    let any = format!("{url}?target_session_attrs=any");
    let asked = fanout_credentials::read(&any);
    assert!(matches!(&asked, Err(OpenError::Standby { database }) if database.contains("/chat")), "{asked:?}");
    let known = fanout_credentials::read(&primary.url("chat")).unwrap();
    standby.promote().unwrap();
    let moved = fanout_credentials::read(&any).unwrap();
    assert_eq!(moved.key, known.key);
    assert_ne!(moved.database, known.database, "a promotion leaves another timeline");
}
