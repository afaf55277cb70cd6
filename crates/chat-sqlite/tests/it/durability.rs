//! An acknowledged write is there afterwards, also when other processes have the file open.

use std::sync::Arc;

use chat_domain::ChatError;
use chat_domain::model::Seq;
use chat_domain::ports::{
    EventLog as _, HealthProbe as _, LogLimit, MessageRepository as _, SessionRepository as _, StatsReader as _,
};
use chat_sqlite::{SqliteConfig, migrate};
use chat_testkit::{RecordingNotifier, fixtures};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use crate::support::Place;

#[tokio::test]
async fn reopening_keeps_everything() {
    let place = Place::migrated();
    let store = place.open().await;
    let id = store.sessions.open(fixtures::new_session(1), fixtures::alice(), None).await.unwrap().session.id;
    for n in 1..=20 {
        store.messages.append(fixtures::draft(id, &fixtures::alice(), n)).await.unwrap();
    }
    let session = store.sessions.find(id).await.unwrap();
    let events = store.events.read(id, Seq::ZERO, LogLimit::events(100)).await.unwrap().events;
    let statistics = store.stats.read().await.unwrap();
    store.close().await;
    drop(store);

    let store = place.open().await;
    assert_eq!(store.sessions.find(id).await.unwrap(), session);
    assert_eq!(store.events.read(id, Seq::ZERO, LogLimit::events(100)).await.unwrap().events, events);
    assert_eq!(store.stats.read().await.unwrap(), statistics);
    let next = store.messages.append(fixtures::draft(id, &fixtures::alice(), 21)).await.unwrap();
    assert_eq!(next.message.seq, Seq::new(22));
}

#[tokio::test]
async fn closing_empties_the_write_ahead_log() {
    let place = Place::migrated();
    let store = place.open().await;
    store.sessions.open(fixtures::new_session(1), fixtures::alice(), None).await.unwrap();
    let mut log = place.path().into_os_string();
    log.push("-wal");
    assert!(std::fs::metadata(&log).unwrap().len() > 0);
    store.close().await;
    assert!(std::fs::metadata(&log).map_or(0, |log| log.len()) == 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_stores_on_one_file_keep_one_sequence() {
    let place = Place::migrated();
    let stores = [Arc::new(place.open().await), Arc::new(place.open().await)];
    let id = stores[0].sessions.open(fixtures::new_session(1), fixtures::alice(), None).await.unwrap().session.id;
    let tasks: Vec<_> = (0..100_u64)
        .map(|n| {
            let store = Arc::clone(&stores[usize::from(n % 2 == 1)]);
            tokio::spawn(async move {
                store.messages.append(fixtures::draft(id, &fixtures::alice(), n + 1)).await.unwrap().message.seq
            })
        })
        .collect();
    let mut seqs = Vec::new();
    for task in tasks {
        seqs.push(task.await.unwrap());
    }
    seqs.sort_unstable();
    assert_eq!(seqs, (2..=101).map(Seq::new).collect::<Vec<_>>());
    assert_eq!(stores[0].stats.read().await.unwrap().messages, 100);
    assert_eq!(stores[1].events.read(id, Seq::ZERO, LogLimit::events(1_000)).await.unwrap().events.len(), 101);
}

#[tokio::test]
async fn a_file_that_another_process_holds_is_unavailable_and_then_recovers() {
    let place = Place::migrated();
    let config = SqliteConfig { busy_timeout: std::time::Duration::ZERO, ..SqliteConfig::new(place.path()) };
    let store = place.open_with(config, Arc::new(RecordingNotifier::default())).await;
    let path = place.path().to_str().unwrap().to_owned();
    let mut other = SqliteConnection::establish(&path).unwrap();
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    let refused = store.sessions.open(fixtures::new_session(1), fixtures::alice(), None).await;
    assert!(matches!(refused, Err(ChatError::Unavailable { .. })), "{refused:?}");
    assert!(store.health.check().await.is_err());
    other.batch_execute("ROLLBACK").unwrap();
    store.sessions.open(fixtures::new_session(1), fixtures::alice(), None).await.unwrap();
    store.health.check().await.unwrap();
}

/// A full disk lets a transaction begin, and refuses the row.
#[tokio::test]
async fn a_store_that_can_write_no_row_is_not_ready() {
    let place = Place::migrated();
    let store = place.open().await;
    let mut other = SqliteConnection::establish(place.path().to_str().unwrap()).unwrap();
    other
        .batch_execute(
            "CREATE TRIGGER full BEFORE INSERT ON chat_write_probes
             BEGIN SELECT RAISE(ABORT, 'no space'); END",
        )
        .unwrap();
    let refused = store.health.check().await.unwrap_err();
    assert!(refused.starts_with("cannot write: "), "{refused}");
    other.batch_execute("DROP TRIGGER full").unwrap();
    store.health.check().await.unwrap();
}

#[tokio::test]
async fn migrating_while_a_store_is_open_changes_nothing() {
    let place = Place::migrated();
    let store = place.open().await;
    let path = place.path();
    assert_eq!(tokio::task::spawn_blocking(move || migrate::up(path).unwrap()).await.unwrap(), Vec::<String>::new());
    store.health.check().await.unwrap();
}
