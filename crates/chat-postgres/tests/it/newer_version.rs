//! What a newer version has written into the database.

use std::sync::Arc;

use chat_domain::ChatError;
use chat_domain::error::Conflict;
use chat_domain::model::{EventChange, Party, Priority, Seq};
use chat_domain::ports::{EventLog as _, LogLimit, MessageRepository as _, SessionRepository as _};
use chat_postgres::{MigrateError, PgConfig, PgStore, migrate};
use chat_testkit::RecordingNotifier;
use chat_testkit::fixtures::{alice, at, draft, new_session, root, session_id};
use test_servers::postgres::TestDatabase;

use crate::support::{dump, migrated, reused};

/// Alice's session with a message and an event of an unknown kind, at position 3.
async fn future(database: &TestDatabase) -> PgStore {
    let store = PgStore::open(PgConfig::new(database.url()), Arc::new(RecordingNotifier::new())).await.unwrap();
    store.sessions.open(new_session(1), alice(), None).await.unwrap();
    store.messages.append(draft(session_id(1), &alice(), 1)).await.unwrap();
    database.sql(
        "BEGIN;
         UPDATE chat_sessions SET last_seq = 3;
         INSERT INTO chat_session_events SELECT id, 3, 'future_kind', 'alice', 0, '[1]' FROM chat_sessions;
         COMMIT",
    );
    store
}

#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn an_event_of_a_newer_version_takes_its_position_and_no_more() {
    let database = reused();
    let store = future(&database).await;
    let appended = store.messages.append(draft(session_id(1), &alice(), 2)).await.unwrap();
    assert_eq!(appended.message.seq, Seq::new(4));
    let log = store.events.read(session_id(1), Seq::ZERO, LogLimit::events(10)).await.unwrap().events;
    let unknown: Vec<bool> = log.iter().map(|event| event.change == EventChange::Unknown).collect();
    assert_eq!(unknown, [false, false, true, false]);
    assert!(store.messages.mark_read_up_to(session_id(1), root(), Seq::new(4), at(5_000)).await.unwrap().is_some());
    store.close().await;
}

#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn names_of_a_newer_version_are_read_as_what_comes_nearest() {
    let database = reused();
    let store = future(&database).await;
    database.sql("UPDATE chat_sessions SET priority = 'urgent'; UPDATE chat_messages SET sender = 'bot'");
    let log = store.events.read(session_id(1), Seq::new(1), LogLimit::events(1)).await.unwrap().events;
    let EventChange::Message(message) = &log[0].change else { panic!("{log:?}") };
    assert_eq!(message.sender, Party::Support);
    assert_eq!(store.sessions.find(session_id(1)).await.unwrap().unwrap().priority, Priority::Medium);
    store.messages.append(draft(session_id(1), &alice(), 2)).await.unwrap();

    // A node's memory of the session does not hide it.
    database.sql("UPDATE chat_sessions SET status = 'paused', last_seq = last_seq");
    assert!(!store.sessions.find(session_id(1)).await.unwrap().unwrap().is_active());
    let receipt = store.messages.mark_read_up_to(session_id(1), root(), Seq::new(9), at(5_000)).await.unwrap();
    assert!(receipt.is_some());
    let refused = store.messages.append(draft(session_id(1), &alice(), 3)).await;
    assert!(matches!(refused, Err(ChatError::Conflict(Conflict::SessionClosed))), "{refused:?}");
    store.close().await;
}

#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn the_checks_come_back_only_where_every_row_obeys_them() {
    let database = migrated();
    future(&database).await.close().await;
    let steps = migrate::status(database.url()).unwrap();
    let open_names = steps.iter().position(|step| step.name.ends_with("_open_names")).unwrap();
    let later = steps.len() - open_names - 1;
    if later > 0 {
        migrate::down(database.url(), later).unwrap();
    }
    let before = dump(&database);
    let refused = migrate::down(database.url(), 1);
    assert!(matches!(&refused, Err(MigrateError::Failed { .. })), "{refused:?}");
    assert_eq!(dump(&database), before);
    database.sql("DELETE FROM chat_session_events WHERE kind = 'future_kind'");
    migrate::down(database.url(), 1).unwrap();
}
