//! A message with files and the condemnation of one of them, at the same time.

use std::sync::Arc;
use std::time::Duration;

use chat_domain::model::MessageDraft;
use chat_domain::ports::{MessageRepository as _, OrphanRegistry as _, SessionRepository as _};
use chat_postgres::{PgConfig, PgStore};
use chat_testkit::{RecordingNotifier, fixtures};
use diesel::connection::SimpleConnection;
use test_servers::postgres::TestDatabase;

use crate::support::{connect, eventually, migrated};

/// Whether a statement waits for the lock of a table.
fn waits(database: &TestDatabase) -> bool {
    let waiting = database.sql(
        "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
         WHERE datname = current_database() AND locktype = 'relation' AND NOT granted",
    );
    waiting != "0"
}

/// The message has looked whether its file is condemned, and is not committed yet, when the file is marked and condemned:
/// neither can see what the other does.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_condemnation_waits_for_the_messages_that_are_on_their_way() {
    let database = migrated();
    let patience = Duration::from_mins(1);
    let config = PgConfig {
        lock_timeout: patience,
        statement_timeout: patience,
        write_timeout: patience,
        ..PgConfig::new(database.url())
    };
    let store = PgStore::open(config, Arc::new(RecordingNotifier::default())).await.unwrap();
    let session = store.sessions.open(fixtures::new_session(1), fixtures::alice(), None).await.unwrap().session.id;
    let file = fixtures::attachment(1, b"x");
    let id = file.id;
    let mut locker = connect(&database);
    locker.batch_execute("BEGIN; LOCK TABLE chat_attachments IN SHARE MODE").unwrap();
    let draft = MessageDraft { attachments: vec![file].into(), ..fixtures::draft(session, &fixtures::alice(), 1) };
    let messages = Arc::clone(&store.messages);
    let sending = tokio::spawn(async move { messages.append(draft).await });
    eventually("the message waits", async || waits(&database)).await;

    let mut round = store.orphans.begin_round().await.unwrap().unwrap();
    assert_eq!(round.mark(vec![id], fixtures::start()).await.unwrap().marked, 1);
    assert_eq!(round.condemn(vec![id], fixtures::start()).await.unwrap(), [], "it is left to a later time");
    assert_eq!(store.orphans.marked(vec![id]).await.unwrap().len(), 1);
    locker.batch_execute("COMMIT").unwrap();
    assert!(sending.await.unwrap().is_ok(), "nothing was condemned when it looked");
    assert_eq!(round.condemn(vec![id], fixtures::start()).await.unwrap(), [], "and it has a message now");
    assert_eq!(store.orphans.marked(vec![id]).await.unwrap(), []);
    store.close().await;
}

/// A node that stands still with a message on its way holds the lock of messages with files. What waited for that lock
/// would hold up all later ones.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_condemnation_holds_up_no_message_behind_a_node_that_stands_still() {
    let database = migrated();
    let store = PgStore::open(PgConfig::new(database.url()), Arc::new(RecordingNotifier::default())).await.unwrap();
    let session = store.sessions.open(fixtures::new_session(1), fixtures::alice(), None).await.unwrap().session.id;
    let mut frozen = connect(&database);
    frozen.batch_execute("BEGIN; SELECT pg_advisory_xact_lock_shared(1667785076, -1)").unwrap();
    let mut round = store.orphans.begin_round().await.unwrap().unwrap();
    let orphan = fixtures::attachment_id(1);
    assert_eq!(round.mark(vec![orphan], fixtures::start()).await.unwrap().marked, 1);
    assert_eq!(round.condemn(vec![orphan], fixtures::start()).await.unwrap(), []);
    let file = fixtures::attachment(2, b"x");
    let draft = MessageDraft { attachments: vec![file].into(), ..fixtures::draft(session, &fixtures::alice(), 1) };
    assert!(store.messages.append(draft).await.is_ok());
    frozen.batch_execute("COMMIT").unwrap();
    assert_eq!(round.condemn(vec![orphan], fixtures::start()).await.unwrap(), [orphan], "the round went on");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_round_that_has_lost_its_connection_is_over() {
    let database = migrated();
    let store = PgStore::open(PgConfig::new(database.url()), Arc::new(RecordingNotifier::default())).await.unwrap();
    let mut round = store.orphans.begin_round().await.unwrap().unwrap();
    database.sql(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks
         WHERE locktype = 'advisory' AND objid::BIGINT = 4294967294 AND granted
               AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    );
    let mut next = store.orphans.begin_round().await.unwrap().expect("the lock went with the connection");
    let file = fixtures::attachment_id(1);
    next.mark(vec![file], fixtures::start()).await.unwrap();
    for _ in 0..2 {
        assert!(round.condemn(vec![file], fixtures::start()).await.is_err(), "another node may be in a round");
    }
    assert_eq!(store.orphans.marked(vec![file]).await.unwrap().len(), 1);
    store.close().await;
}
