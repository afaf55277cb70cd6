//! The migrations go both ways, run once however many processes start, and agree with what the code believes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use chat_domain::model::{Seq, SessionAction};
use chat_domain::ports::{EventLog as _, LogLimit, MessageRepository as _, SessionRepository as _};
use chat_sqlite::{OpenError, SqliteConfig, SqliteStore, migrate};
use chat_testkit::RecordingNotifier;
use chat_testkit::fixtures::{alice, at, change, draft, message_id, new_session, root};
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::{Integer, Text};

use crate::support::Place;

#[derive(Debug, PartialEq, Eq, QueryableByName)]
struct Entry {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    sql: String,
}

fn connect(path: &Path) -> SqliteConnection {
    SqliteConnection::establish(path.to_str().unwrap()).unwrap()
}

/// The text of everything that is in the schema.
fn dump(path: &Path) -> Vec<Entry> {
    diesel::sql_query("SELECT name, coalesce(sql, '') AS sql FROM sqlite_master ORDER BY name")
        .load(&mut connect(path))
        .unwrap()
}

#[test]
fn up_down_up_gives_the_same_schema_and_down_an_empty_one() {
    let place = Place::new();
    let names = migrate::up(place.path()).unwrap();
    let first = dump(&place.path());
    let mut undone = migrate::down(place.path(), usize::MAX).unwrap();
    undone.reverse();
    assert_eq!(undone, names);
    assert_eq!(dump(&place.path()), []);
    assert_eq!(migrate::up(place.path()).unwrap(), names);
    assert_eq!(dump(&place.path()), first);
}

#[test]
fn each_migration_can_be_undone_alone() {
    let place = Place::new();
    let names = migrate::up(place.path()).unwrap();
    let whole = dump(&place.path());
    for steps in 1..=names.len() {
        migrate::down(place.path(), steps).unwrap();
        let applied = migrate::status(place.path()).unwrap().iter().filter(|migration| migration.applied).count();
        assert_eq!(applied, names.len() - steps);
        assert_eq!(migrate::up(place.path()).unwrap(), names[names.len() - steps..]);
        assert_eq!(dump(&place.path()), whole);
    }
}

#[test]
fn the_status_of_a_missing_file_is_read_without_making_it() {
    let place = Place::new();
    let status = migrate::status(place.path()).unwrap();
    assert!(!status.is_empty() && status.iter().all(|migration| !migration.applied));
    assert!(!place.path().exists());
}

#[test]
fn processes_that_migrate_at_once_apply_each_migration_once() {
    // Often, since the switch to the write-ahead log is lost only now and then.
    for _ in 0..20 {
        let place = Place::new();
        let all = migrate::status(place.path()).unwrap().len();
        let path = place.path();
        let applied: usize = thread::scope(|scope| {
            let racers: Vec<_> = (0..8).map(|_| scope.spawn(|| migrate::up(&path).unwrap().len())).collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).sum()
        });
        assert_eq!(applied, all);
    }
}

#[test]
fn a_failing_migration_leaves_nothing_behind() {
    let place = Place::new();
    let mut connection = connect(&place.path());
    diesel::sql_query("CREATE TABLE chat_agents (in_the_way)").execute(&mut connection).unwrap();
    let before = dump(&place.path());
    let error = migrate::up(place.path()).unwrap_err().to_string();
    assert!(error.contains("chat_agents") && error.contains("nothing was changed"), "{error}");
    assert_eq!(dump(&place.path()), before);
}

#[tokio::test]
async fn a_store_with_pending_migrations_does_not_open() {
    let place = Place::migrated();
    let undone = migrate::down(place.path(), 1).unwrap();
    let opened = SqliteStore::open(SqliteConfig::new(place.path()), Arc::new(RecordingNotifier::default())).await;
    match opened.err().unwrap() {
        error @ OpenError::PendingMigrations { .. } => {
            let text = error.to_string();
            assert!(text.contains(&undone[0]) && text.contains("chat-server migrate up"), "{text}");
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_schema_that_is_newer_than_the_program_is_refused_with_both_versions() {
    let place = Place::migrated();
    let newest = migrate::status(place.path()).unwrap().pop().unwrap().name;
    let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')";
    diesel::sql_query(newer).execute(&mut connect(&place.path())).unwrap();
    let opened = SqliteStore::open(SqliteConfig::new(place.path()), Arc::new(RecordingNotifier::default())).await;
    let refusals = [
        migrate::up(place.path()).unwrap_err().to_string(),
        migrate::down(place.path(), 2).unwrap_err().to_string(),
        opened.err().unwrap().to_string(),
    ];
    for text in refusals {
        for part in ["99990101000000", newest.as_str(), "chat-server migrate down"] {
            assert!(text.contains(part), "{text}");
        }
    }
    assert!(migrate::status(place.path()).unwrap().iter().all(|migration| migration.applied));
}

#[tokio::test]
async fn a_file_in_another_encoding_is_refused_and_left_alone() {
    let place = Place::new();
    let utf_16 = "PRAGMA encoding = 'UTF-16le'; CREATE TABLE notes (text TEXT)";
    connect(&place.path()).batch_execute(utf_16).unwrap();
    let before = dump(&place.path());
    let opened = SqliteStore::open(SqliteConfig::new(place.path()), Arc::new(RecordingNotifier::default())).await;
    for text in [migrate::up(place.path()).unwrap_err().to_string(), opened.err().unwrap().to_string()] {
        assert!(text.contains("UTF-16le") && text.contains(".dump"), "{text}");
    }
    assert_eq!(dump(&place.path()), before);
}

#[tokio::test]
async fn a_database_without_its_identity_says_so() {
    let place = Place::migrated();
    diesel::sql_query("DELETE FROM chat_identity").execute(&mut connect(&place.path())).unwrap();
    let opened = SqliteStore::open(SqliteConfig::new(place.path()), Arc::new(RecordingNotifier::default())).await;
    assert!(opened.err().unwrap().to_string().contains("restore the database from a backup"));
}

#[tokio::test]
async fn a_session_from_before_the_marks_is_read_up_to_a_position() {
    let place = Place::migrated();
    let store = place.open().await;
    let id = store.sessions.open(new_session(1), alice(), None).await.unwrap().session.id;
    for n in 1..=4 {
        store.messages.append(draft(id, &alice(), n)).await.unwrap();
    }
    let read_by_id = vec![message_id(1), message_id(3)];
    store.messages.mark_read(id, root(), read_by_id, at(10)).await.unwrap();
    let epoch = store.events.epoch().await.unwrap();
    store.close().await;
    let status = migrate::status(place.path()).unwrap();
    let kept = status.iter().position(|migration| migration.name.ends_with("_epoch")).unwrap();
    migrate::down(place.path(), status.len() - kept).unwrap();
    migrate::up(place.path()).unwrap();

    let store = place.open().await;
    let receipt = store.messages.mark_read_up_to(id, root(), Seq::new(9), at(20)).await.unwrap().unwrap();
    assert_eq!(receipt.messages, [message_id(2), message_id(4)]);
    let progress = store.sessions.find(id).await.unwrap().unwrap().progress;
    assert_eq!((progress.unread_by_support, progress.support_read_seq), (0, Seq::new(6)));
    assert_ne!(store.events.epoch().await.unwrap(), epoch);
    store.close().await;
}

#[tokio::test]
async fn events_from_before_the_watermarks_had_their_names_are_read_as_they_were() {
    let place = Place::migrated();
    let store = place.open().await;
    let id = store.sessions.open(new_session(1), alice(), None).await.unwrap().session.id;
    for n in 1..=4 {
        store.messages.append(draft(id, &alice(), n)).await.unwrap();
    }
    store.messages.mark_read_up_to(id, root(), Seq::new(3), at(10)).await.unwrap();
    let close = change(&alice(), SessionAction::Close, 11);
    let session = store.sessions.change(id, close).await.unwrap();
    let events = store.events.read(id, Seq::ZERO, LogLimit::events(100)).await.unwrap().events;
    store.close().await;
    let status = migrate::status(place.path()).unwrap();
    let kept = status.iter().position(|migration| migration.name.ends_with("_watermarks")).unwrap();
    migrate::down(place.path(), status.len() - kept).unwrap();
    let data = "SELECT kind AS name, CAST(data ->> 'readToSupport' AS TEXT) AS sql FROM chat_session_events
                WHERE kind = 'closed'";
    let before: Vec<Entry> = diesel::sql_query(data).load(&mut connect(&place.path())).unwrap();
    assert_eq!(before[0].sql, "3");
    migrate::up(place.path()).unwrap();

    let store = place.open().await;
    assert_eq!(store.events.read(id, Seq::ZERO, LogLimit::events(100)).await.unwrap().events, events);
    // Of its newest message the row knows nothing yet.
    assert_eq!(store.sessions.find(id).await.unwrap().unwrap().in_event(), session.in_event());
    store.close().await;
}

#[tokio::test]
async fn a_missing_database_is_named_and_not_made() {
    let place = Place::new();
    let opened = SqliteStore::open(SqliteConfig::new(place.path()), Arc::new(RecordingNotifier::default())).await;
    let error = opened.err().unwrap().to_string();
    assert!(error.contains(place.path().to_str().unwrap()), "{error}");
    assert!(!place.path().exists());
}

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    r#type: String,
    #[diesel(sql_type = Integer)]
    notnull: i32,
    #[diesel(sql_type = Integer)]
    pk: i32,
}

/// The table in the words of `schema.rs`.
fn described(path: &Path, table: &str) -> String {
    let columns: Vec<Column> =
        diesel::sql_query(format!("SELECT name, type, \"notnull\", pk FROM pragma_table_info('{table}') ORDER BY cid"))
            .load(&mut connect(path))
            .unwrap();
    let keys: BTreeMap<i32, &str> =
        columns.iter().filter(|column| column.pk > 0).map(|column| (column.pk, column.name.as_str())).collect();
    let mut lines = vec![format!("{table} ({}) {{", keys.into_values().collect::<Vec<_>>().join(", "))];
    for column in &columns {
        let kind = match column.r#type.as_str() {
            "BLOB" => "Binary",
            "TEXT" => "Text",
            "BIGINT" => "BigInt",
            "INTEGER" => "Integer",
            "BOOLEAN" => "Bool",
            "DOUBLE" => "Double",
            other => panic!("{table}.{} has the type {other}", column.name),
        };
        let kind = if column.notnull == 1 { kind.to_owned() } else { format!("Nullable<{kind}>") };
        lines.push(format!("        {} -> {kind},", column.name));
    }
    lines.push("    }".to_owned());
    lines.join("\n")
}

#[test]
fn the_code_describes_the_tables_as_they_are() {
    let schema = include_str!("../../src/schema.rs");
    let place = Place::migrated();
    let entries = dump(&place.path());
    let tables: Vec<&Entry> = entries.iter().filter(|entry| entry.sql.starts_with("CREATE TABLE chat_")).collect();
    for table in &tables {
        let described = described(&place.path(), &table.name);
        assert!(schema.contains(&described), "schema.rs lacks\n{described}");
    }
    assert_eq!(schema.matches("diesel::table!").count(), tables.len());
}
