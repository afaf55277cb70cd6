//! What a newer version has written into the file.

use chat_domain::ChatError;
use chat_domain::error::Conflict;
use chat_domain::model::{EventChange, Party, Priority, Seq};
use chat_domain::ports::{EventLog as _, LogLimit, MessageRepository as _, SessionRepository as _};
use chat_sqlite::{SqliteStore, migrate};
use chat_testkit::fixtures::{alice, draft, new_session, root, session_id};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use crate::support::Place;

fn sql(place: &Place, statements: &str) -> QueryResult<()> {
    SqliteConnection::establish(place.path().to_str().unwrap()).unwrap().batch_execute(statements)
}

/// Alice's session with a message and an event of an unknown kind, at position 3.
async fn future(place: &Place) -> SqliteStore {
    let store = place.open().await;
    store.sessions.open(new_session(1), alice(), None).await.unwrap();
    store.messages.append(draft(session_id(1), &alice(), 1)).await.unwrap();
    sql(
        place,
        "BEGIN;
         UPDATE chat_sessions SET last_seq = 3;
         INSERT INTO chat_session_events SELECT id, 3, 'future_kind', 'alice', 0, '[1]' FROM chat_sessions;
         COMMIT",
    )
    .unwrap();
    store
}

#[tokio::test]
async fn an_event_of_a_newer_version_takes_its_position_and_no_more() {
    let place = Place::migrated();
    let store = future(&place).await;
    let appended = store.messages.append(draft(session_id(1), &alice(), 2)).await.unwrap();
    assert_eq!(appended.message.seq, Seq::new(4));
    let log = store.events.read(session_id(1), Seq::ZERO, LogLimit::events(10)).await.unwrap().events;
    let unknown: Vec<bool> = log.iter().map(|event| event.change == EventChange::Unknown).collect();
    assert_eq!(unknown, [false, false, true, false]);
    assert!(store.messages.mark_read_up_to(session_id(1), root(), Seq::new(4), at()).await.unwrap().is_some());
    store.close().await;
}

fn at() -> chat_domain::model::Timestamp {
    chat_testkit::fixtures::at(5_000)
}

#[tokio::test]
async fn names_of_a_newer_version_are_read_as_what_comes_nearest() {
    let place = Place::migrated();
    let store = future(&place).await;
    sql(
        &place,
        "UPDATE chat_sessions SET priority = 'urgent';
         UPDATE chat_messages SET sender = 'bot'",
    )
    .unwrap();
    let log = store.events.read(session_id(1), Seq::new(1), LogLimit::events(1)).await.unwrap().events;
    let EventChange::Message(message) = &log[0].change else { panic!("{log:?}") };
    assert_eq!(message.sender, Party::Support);
    assert_eq!(store.sessions.find(session_id(1)).await.unwrap().unwrap().priority, Priority::Medium);
    store.messages.append(draft(session_id(1), &alice(), 2)).await.unwrap();

    sql(&place, "UPDATE chat_sessions SET status = 'paused'").unwrap();
    assert!(!store.sessions.find(session_id(1)).await.unwrap().unwrap().is_active());
    let refused = store.messages.append(draft(session_id(1), &alice(), 3)).await;
    assert!(matches!(refused, Err(ChatError::Conflict(Conflict::SessionClosed))), "{refused:?}");
    assert!(store.messages.mark_read_up_to(session_id(1), root(), Seq::new(9), at()).await.unwrap().is_some());
    store.close().await;
}

#[tokio::test]
async fn the_checks_come_back_only_where_every_row_obeys_them() {
    let place = Place::migrated();
    future(&place).await.close().await;
    let steps = migrate::status(place.path()).unwrap();
    let open_names = steps.iter().position(|step| step.name.ends_with("_open_names")).unwrap();
    let error = migrate::down(place.path(), steps.len() - open_names).unwrap_err().to_string();
    assert!(error.contains("a_newer_version_has_written_names"), "{error}");
    assert!(migrate::status(place.path()).unwrap().iter().all(|step| step.applied), "nothing was undone");
    sql(&place, "DELETE FROM chat_session_events WHERE kind = 'future_kind'").unwrap();
    migrate::down(place.path(), steps.len() - open_names).unwrap();
    let refused = sql(&place, "UPDATE chat_sessions SET status = 'paused'").unwrap_err().to_string();
    assert!(refused.contains("CHECK constraint failed: status IN ('active', 'closed')"), "{refused}");
    migrate::up(place.path()).unwrap();
    sql(&place, "UPDATE chat_sessions SET status = 'paused'; PRAGMA integrity_check").unwrap();
    let refused = sql(&place, "UPDATE chat_sessions SET status = 'active', ended_at = 1").unwrap_err();
    assert!(refused.to_string().contains("CHECK constraint failed"), "{refused}");
}
