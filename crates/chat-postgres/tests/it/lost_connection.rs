//! Connections that the server cuts, under writers: what was answered is there once, and the store needs no restart.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_domain::ChatError;
use chat_domain::error::Conflict;
use chat_domain::model::{MessageDraft, MessageId, SessionAction, UnsentUpload, UploadQuota};
use chat_domain::ports::{MessageRepository as _, SessionRepository as _, StatsReader as _, UploadRegistry as _};
use chat_postgres::{PgConfig, PgStore};
use chat_testkit::RecordingNotifier;
use chat_testkit::fixtures::{
    alice, attachment, attachment_id, change, draft, idempotency, keyed, message_id, new_session, session_id, start,
};
use diesel::connection::SimpleConnection;
use test_servers::postgres::TestDatabase;

use crate::support::{connect, eventually, message_ids, migrated, reused, unhurried};

async fn open(database: &TestDatabase) -> PgStore {
    let config = PgConfig { readers: 2, writers: 2, ..PgConfig::new(database.url()) };
    PgStore::open(config, Arc::new(RecordingNotifier::new())).await.unwrap()
}

/// Ends the store's connections that fulfil a condition, and says how many they were.
fn cut(database: &TestDatabase, condition: &str) -> usize {
    let cut = database.sql(&format!(
        "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'chat-server' AND {condition}"
    ));
    cut.parse().unwrap()
}

/// Waits until a statement of the store waits for a lock, and ends its connection.
fn cut_blocked(database: &TestDatabase) {
    let since = Instant::now();
    while cut(database, "wait_event_type = 'Lock'") == 0 {
        assert!(since.elapsed() < Duration::from_secs(20), "no statement waits");
    }
}

#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn after_idle_connections_were_cut_a_write_fails_once_at_most() {
    let database = reused();
    let store = open(&database).await;
    let sessions = [new_session(1), new_session(2), new_session(3)];
    for session in &sessions {
        store.sessions.open(session.clone(), alice(), None).await.unwrap();
    }
    let mut sent: Vec<Vec<MessageId>> = vec![Vec::new(); sessions.len()];
    for round in 0..4_u64 {
        assert!(cut(&database, "true") >= 3, "two writers and a reader at least");
        store.stats.read().await.unwrap();
        for (n, session) in (0..).zip(&sessions) {
            let number = round * 10 + n;
            let message = keyed(draft(session.id, &alice(), number), &format!("k{number}"));
            let appended = match store.messages.append(message.clone()).await {
                // Whether it took place is unknown; the key makes the repetition safe.
                Err(ChatError::Unavailable { .. }) => {
                    let again = MessageDraft { id: message_id(1_000 + number), ..message };
                    store.messages.append(again).await.unwrap()
                }
                answered => answered.unwrap(),
            };
            sent[usize::try_from(n).unwrap()].push(appended.message.id);
        }
    }
    for (session, sent) in sessions.iter().zip(sent) {
        assert_eq!(message_ids(&store, session.id).await, sent);
    }
    assert_eq!(store.stats.read().await.unwrap().messages, 12);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_write_whose_connection_is_cut_is_answered_in_time_and_done_once_at_most() {
    let database = reused();
    let store = open(&database).await;
    let session = store.sessions.open(new_session(1), alice(), None).await.unwrap().session.id;
    store.messages.append(draft(session, &alice(), 1)).await.unwrap();
    let mut other = connect(&database);
    other.batch_execute("BEGIN; LOCK TABLE chat_messages IN ACCESS EXCLUSIVE MODE").unwrap();
    let messages = Arc::clone(&store.messages);
    let writing = tokio::spawn(async move { messages.append(draft(session, &alice(), 2)).await });
    cut_blocked(&database);
    // It is tried once more, and the table is locked still.
    let refused = writing.await.unwrap();
    assert!(matches!(refused, Err(ChatError::Unavailable { .. })), "{refused:?}");
    other.batch_execute("ROLLBACK").unwrap();
    store.messages.append(draft(session, &alice(), 2)).await.unwrap();
    assert_eq!(message_ids(&store, session).await, [message_id(1), message_id(2)]);
    assert_eq!(store.stats.read().await.unwrap().messages, 2);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_read_whose_connection_is_cut_is_answered_in_time_and_the_next_works() {
    let database = reused();
    let store = open(&database).await;
    let mut other = connect(&database);
    other.batch_execute("BEGIN; LOCK TABLE chat_stats IN ACCESS EXCLUSIVE MODE").unwrap();
    let stats = Arc::clone(&store.stats);
    let reading = tokio::spawn(async move { stats.read().await });
    cut_blocked(&database);
    other.batch_execute("ROLLBACK").unwrap();
    let read = reading.await.unwrap();
    assert!(matches!(read, Ok(_) | Err(ChatError::Unavailable { .. })), "{read:?}");
    store.stats.read().await.unwrap();
    store.close().await;
}

/// How many advisory locks stand for counters' rows, for how many different rows, and how many rows there are.
fn slots(database: &TestDatabase) -> String {
    database.sql(
        "SELECT count(*), count(DISTINCT objid), (SELECT count(*) FROM chat_stats WHERE writer > 0) FROM pg_locks
         WHERE locktype = 'advisory' AND classid = x'63686174'::int::oid
               AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    )
}

#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn every_writer_of_all_nodes_has_counters_of_its_own() {
    let database = reused();
    let nodes = [open(&database).await, open(&database).await];
    assert_eq!(slots(&database), "4|4|0", "a writer has no row before it counts something");
    assert!(cut(&database, "true") >= 6);
    eventually("a cut connection holds nothing", async || slots(&database).starts_with("0|0|")).await;
    // Two sessions of each node that fall to different writers.
    for (n, node) in (0..).zip(&nodes) {
        for session in [new_session(2 * n), new_session(2 * n + 1)] {
            node.sessions.open(session, alice(), None).await.unwrap();
        }
    }
    assert_eq!(slots(&database), "4|4|4");
    assert_eq!(nodes[0].stats.read().await.unwrap().total_sessions, 4);
    for node in nodes {
        node.close().await;
    }
    // The server ends its process of a connection some time after the connection.
    eventually("a closed store holds nothing", async || slots(&database).starts_with("0|0|")).await;
}

#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn remembered_sessions_do_not_outlive_the_connection() {
    let database = reused();
    let store = open(&database).await;
    let session = store.sessions.open(new_session(1), alice(), None).await.unwrap().session.id;
    for n in 1..=2 {
        store.messages.append(draft(session, &alice(), n)).await.unwrap();
    }
    // As a standby that takes over without the last commit, on which another person then closes the session: the same
    // position, another session.
    database.sql(
        "DELETE FROM chat_messages WHERE seq = 3;
         UPDATE chat_sessions SET status = 'closed', ended_at = 1, message_count = 1;
         INSERT INTO chat_session_events SELECT id, 3, 'closed', 'alice', 1, '{}' FROM chat_sessions",
    );
    assert!(cut(&database, "true") > 0);
    // The first write may fail because the connection is gone.
    let _unavailable = store.messages.append(draft(session, &alice(), 3)).await;
    let refused = store.messages.append(draft(session, &alice(), 4)).await;
    assert!(matches!(refused, Err(ChatError::Conflict(Conflict::SessionClosed))), "{refused:?}");
    store.close().await;
}

#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_writer_whose_counter_row_is_gone_counts_on() {
    let database = reused();
    let store = open(&database).await;
    let session = store.sessions.open(new_session(1), alice(), None).await.unwrap().session.id;
    store.messages.append(draft(session, &alice(), 1)).await.unwrap();
    // As taking the migration back and applying it again does: it counts what is there for writer 0.
    database.sql("TRUNCATE chat_stats; INSERT INTO chat_stats VALUES (0, 1, 0, 1, 0, 0)");
    store.messages.append(draft(session, &alice(), 2)).await.unwrap();
    let close = SessionAction::Close;
    store.sessions.change(session, change(&alice(), close, 9)).await.unwrap();
    store.sessions.open(new_session(2), alice(), None).await.unwrap();
    let figures = store.stats.read().await.unwrap();
    assert_eq!((figures.total_sessions, figures.active_sessions, figures.messages), (2, 1, 2));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn concurrent_creates_with_overlapping_keys_do_not_deadlock() {
    let database = reused();
    let config = unhurried(PgConfig { readers: 2, writers: 2, ..PgConfig::new(database.url()) });
    let node = || PgStore::open(config.clone(), Arc::new(RecordingNotifier::new()));
    let nodes = [node().await.unwrap(), node().await.unwrap()];
    let mut tasks = Vec::new();
    for round in 0..40_u64 {
        for (place, node) in nodes.iter().enumerate() {
            for n in 0..8_u64 {
                // One node comes from the other end.
                let key = if place == 0 { n } else { 7 - n };
                let sessions = Arc::clone(&node.sessions);
                let id = 1 + round * 16 + n * 2 + place as u64;
                let key = idempotency(&format!("{round}-{key}"), "the same");
                tasks.push(tokio::spawn(async move { sessions.open(new_session(id), alice(), Some(key)).await }));
            }
        }
    }
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let deadlocks = database.sql(
        "SELECT pg_stat_force_next_flush(); SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()",
    );
    assert_eq!(deadlocks.lines().last(), Some("0"));
    for node in nodes {
        node.close().await;
    }
}

#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_connection_that_turns_out_to_be_read_only_in_a_writes_own_statement_is_replaced() {
    let database = migrated();
    let config = PgConfig { writers: 1, ..PgConfig::new(database.url()) };
    let store = PgStore::open(config, Arc::new(RecordingNotifier::new())).await.unwrap();
    // The server behind the present connections has become a standby; a new connection leads to another server. A
    // rollback works on both.
    database.sql(
        "CREATE TABLE demoted AS SELECT pid FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = 'chat-server';
         CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF EXISTS (SELECT FROM demoted WHERE pid = pg_backend_pid()) THEN
                 RAISE EXCEPTION 'cannot execute INSERT in a read-only transaction' USING ERRCODE = '25006';
             END IF;
             RETURN NEW;
         END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON chat_sessions FOR EACH ROW EXECUTE FUNCTION refuse()",
    );
    let first = store.sessions.open(new_session(1), alice(), None).await;
    assert!(matches!(first, Err(ChatError::Unavailable { .. })), "{first:?}");
    // Only a new connection can do this.
    store.sessions.open(new_session(2), alice(), None).await.unwrap();
    store.close().await;
}

/// The first run of a removal has deleted the row when its connection is cut: for the second run, it is as if another
/// connection had. What was sent meanwhile has not been removed.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_removal_whose_connection_is_cut_has_removed_its_file_unless_it_was_sent() {
    const SEND: &str = "INSERT INTO chat_attachments (session_id, seq, position, id, name, media_type, size, sha256)
                        SELECT session_id, 7, 0, id, name, media_type, size, sha256 FROM chat_uploads;";
    let database = reused();
    let store = open(&database).await;
    let removed = async |n: u64, meanwhile: &str| {
        let upload = UnsentUpload {
            attachment: attachment(n, b"bytes"),
            session_id: session_id(1),
            uploader: alice().id,
            uploaded_at: start(),
        };
        store.uploads.register(upload, UploadQuota { files: 10, bytes: 100 }).await.unwrap();
        let mut other = connect(&database);
        other.batch_execute(&format!("BEGIN; {meanwhile} DELETE FROM chat_uploads")).unwrap();
        let uploads = Arc::clone(&store.uploads);
        let removing = tokio::spawn(async move { uploads.remove(attachment_id(n), alice().id).await });
        cut_blocked(&database);
        other.batch_execute("COMMIT").unwrap();
        removing.await.unwrap().unwrap()
    };
    assert!(removed(1, "").await);
    assert!(!removed(2, SEND).await);
    assert!(!store.uploads.remove(attachment_id(1), alice().id).await.unwrap(), "another removal");
    store.close().await;
}
