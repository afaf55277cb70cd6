//! What an operator asks about a file: its schema, and whether its counters are those of its rows.

use chat_sqlite::inspection::{RecountReport, RecountScope, facts, identity, recount};
use chat_sqlite::migrate;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use crate::counters::fill;
use crate::support::Place;

async fn filled() -> Place {
    let place = Place::migrated();
    let store = place.open().await;
    fill(&store).await;
    store.close().await;
    place
}

fn change(place: &Place, sql: &str) {
    SqliteConnection::establish(place.path().to_str().unwrap()).unwrap().batch_execute(sql).unwrap();
}

#[tokio::test]
async fn counters_that_nothing_disturbed_are_clean_beside_a_store() {
    let place = Place::migrated();
    let store = place.open().await;
    fill(&store).await;
    let clean = RecountReport { is_complete: true, sessions: 4, ..RecountReport::default() };
    for scope in [RecountScope::Sample, RecountScope::Everything] {
        assert_eq!(recount(place.path(), scope, 7).unwrap(), clean);
    }
    assert_eq!(identity(place.path()).unwrap(), store.identity());
    store.close().await;
}

#[tokio::test]
async fn each_counter_that_was_changed_by_hand_is_found() {
    let wrong_session = RecountReport { wrong_sessions: 1, ..RecountReport::default() };
    let wrong_counter = RecountReport { wrong_counters: 1, ..RecountReport::default() };
    let first = "(SELECT id FROM chat_sessions ORDER BY id LIMIT 1)";
    for (sql, expected) in [
        (format!("UPDATE chat_sessions SET message_count = message_count + 1 WHERE id = {first}"), wrong_session),
        (format!("UPDATE chat_sessions SET last_seq = last_seq + 1 WHERE id = {first}"), wrong_session),
        (format!("DELETE FROM chat_session_events WHERE seq = 1 AND session_id = {first}"), wrong_session),
        ("UPDATE chat_stats SET opened = opened + 1".to_owned(), wrong_counter),
        ("UPDATE chat_stats SET closed = closed - 1".to_owned(), wrong_counter),
        ("UPDATE chat_stats SET messages = 0".to_owned(), wrong_counter),
        ("UPDATE chat_stats SET responses = responses + 1".to_owned(), wrong_counter),
        ("UPDATE chat_stats SET response_time_ms = 0".to_owned(), wrong_counter),
        (
            "UPDATE chat_session_counts SET count = 9 WHERE scope = 'all' AND status = 'active'".to_owned(),
            wrong_counter,
        ),
        (
            "DELETE FROM chat_session_counts WHERE scope = 'user' AND status = 'closed'".to_owned(),
            RecountReport { wrong_counters: 2, ..RecountReport::default() },
        ),
    ] {
        let place = filled().await;
        change(&place, &sql);
        let found = recount(place.path(), RecountScope::Sample, 0).unwrap();
        assert_eq!(found, RecountReport { is_complete: true, sessions: 4, ..expected }, "{sql}");
        assert!(!found.is_clean());
    }
}

#[tokio::test]
async fn messages_without_a_session_are_found() {
    let place = filled().await;
    change(&place, "DELETE FROM chat_sessions WHERE id = (SELECT id FROM chat_sessions ORDER BY id LIMIT 1)");
    let found = recount(place.path(), RecountScope::Sample, 0).unwrap();
    assert_eq!((found.sessions, found.missing_sessions), (3, 1));
}

#[test]
fn a_file_with_an_older_schema_says_what_it_misses() {
    let place = Place::migrated();
    assert_eq!(facts(place.path()).unwrap().pending, Vec::<String>::new());
    let undone = migrate::down(place.path(), 1).unwrap();
    let found = facts(place.path()).unwrap();
    assert_eq!((found.pending, found.encoding.as_str()), (undone, "UTF-8"));
}

#[test]
fn a_missing_file_is_not_created() {
    let place = Place::new();
    assert!(facts(place.path()).is_err());
    assert!(recount(place.path(), RecountScope::Sample, 0).is_err());
    assert!(!place.path().exists());
}
