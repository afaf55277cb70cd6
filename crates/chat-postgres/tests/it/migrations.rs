//! The migrations go both ways, run once however many processes start, survive being killed, and agree with what the
//! code believes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;

use chat_domain::model::{Seq, SessionAction};
use chat_domain::ports::{EventLog as _, LogLimit, MessageRepository as _, SessionRepository as _};
use chat_postgres::{MigrateError, PgConfig, PgStore, migrate};
use chat_testkit::RecordingNotifier;
use chat_testkit::fixtures::{alice, at, change, draft, new_session, root};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use test_servers::postgres::TestDatabase;

use crate::support::{connect, dump, empty, migrated};

/// Undoes the migration whose name ends so, and all later ones.
fn undo_down_to(database: &TestDatabase, end: &str) -> Vec<String> {
    let status = migrate::status(database.url()).unwrap();
    let kept = status.iter().position(|migration| migration.name.ends_with(end)).unwrap();
    migrate::down(database.url(), status.len() - kept).unwrap()
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn up_down_up_gives_the_same_schema_and_down_an_empty_one() {
    let database = empty();
    let nothing = dump(&database);
    let names = migrate::up(database.url()).unwrap();
    let first = dump(&database);
    let mut undone = migrate::down(database.url(), usize::MAX).unwrap();
    undone.reverse();
    assert_eq!(undone, names);
    assert_eq!(dump(&database), nothing);
    assert_eq!(migrate::up(database.url()).unwrap(), names);
    assert_eq!(dump(&database), first);
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn each_migration_can_be_undone_alone() {
    let database = empty();
    let names = migrate::up(database.url()).unwrap();
    let whole = dump(&database);
    for steps in 1..=names.len() {
        migrate::down(database.url(), steps).unwrap();
        let applied = migrate::status(database.url()).unwrap().iter().filter(|migration| migration.applied).count();
        assert_eq!(applied, names.len() - steps);
        assert_eq!(migrate::up(database.url()).unwrap(), names[names.len() - steps..]);
        assert_eq!(dump(&database), whole);
    }
}

#[test]
fn both_databases_have_the_same_steps() {
    let steps = |database: &str| -> BTreeSet<String> {
        let directory = format!("{}/../../migrations/{database}", env!("CARGO_MANIFEST_DIR"));
        let entries = std::fs::read_dir(directory).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    assert_eq!(steps("postgres"), steps("sqlite"));
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn the_status_is_read_without_changing_anything() {
    let database = empty();
    let nothing = dump(&database);
    let status = migrate::status(database.url()).unwrap();
    assert!(!status.is_empty() && status.iter().all(|migration| !migration.applied));
    assert_eq!(dump(&database), nothing);
    migrate::up(database.url()).unwrap();
    assert!(migrate::status(database.url()).unwrap().iter().all(|migration| migration.applied));
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn processes_that_migrate_at_once_apply_each_migration_once() {
    for _ in 0..20 {
        let database = empty();
        let all = migrate::status(database.url()).unwrap().len();
        let applied: usize = thread::scope(|scope| {
            let racers: Vec<_> = (0..4).map(|_| scope.spawn(|| migrate::up(database.url()).unwrap().len())).collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).sum()
        });
        assert_eq!(applied, all);
    }
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn a_failing_migration_leaves_nothing_of_itself_behind() {
    let database = empty();
    database.sql("CREATE TABLE chat_identity (in_the_way TEXT)");
    let error = migrate::up(database.url()).unwrap_err().to_string();
    assert!(error.contains("_identity") && error.contains("already exists"), "{error}");
    let status = migrate::status(database.url()).unwrap();
    let pending: Vec<&str> = status.iter().filter(|step| !step.applied).map(|step| step.name.as_str()).collect();
    assert!(pending[0].ends_with("_identity"), "{pending:?}");
    database.sql("DROP TABLE chat_identity");
    assert_eq!(migrate::up(database.url()).unwrap(), pending);
    assert_eq!(dump(&database), dump(&migrated()));
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn a_process_killed_in_the_middle_of_a_migration_leaves_whole_migrations_and_no_lock() {
    const MIGRATES: &str = "wait_event_type = 'Lock' AND datname = current_database() AND query ILIKE '%chat_%'";
    let database = empty();
    let names = migrate::up(database.url()).unwrap();
    let whole = dump(&database);
    let undone = undo_down_to(&database, "_counters");
    let mut other = connect(&database);
    // The migration of the counters makes its tables, then comes to read the sessions, and waits.
    other
        .transaction(|other| {
            diesel::sql_query("LOCK TABLE chat_sessions IN ACCESS EXCLUSIVE MODE").execute(other)?;
            thread::scope(|scope| {
                let killed = scope.spawn(|| migrate::up(database.url()));
                while database.sql(&format!("SELECT count(*) FROM pg_stat_activity WHERE {MIGRATES}")) != "1" {
                    assert!(!killed.is_finished(), "the migration did not wait");
                    thread::yield_now();
                }
                database.sql(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {MIGRATES}"));
                let killed = killed.join().unwrap();
                assert!(matches!(killed, Err(MigrateError::Failed { .. })), "{killed:?}");
            });
            QueryResult::Ok(())
        })
        .unwrap();
    let status = migrate::status(database.url()).unwrap();
    assert_eq!(status.iter().filter(|step| step.applied).count(), names.len() - undone.len());
    assert_eq!(migrate::up(database.url()).unwrap(), names[names.len() - undone.len()..]);
    assert_eq!(dump(&database), whole);
}

/// Whether a migration waits for a lock on a table, or between two attempts to get it.
const MIGRATION_WAITS: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
    AND (wait_event_type = 'Lock' AND query LIKE '%chat_sessions_end_check%' OR wait_event = 'PgSleep')";

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn a_migration_that_locks_several_tables_ends_no_transaction_of_a_node_as_a_deadlock() {
    let database = migrated();
    undo_down_to(&database, "_open_names");
    let mut node = connect(&database);
    thread::scope(|scope| {
        let migration = node.transaction(|node| {
            // The migration locks them in the other order.
            diesel::sql_query("SELECT 1 FROM chat_session_buckets").execute(node)?;
            let migration = scope.spawn(|| migrate::up(database.url()));
            while database.sql(MIGRATION_WAITS) != "1" {
                assert!(!migration.is_finished(), "the migration did not wait");
                thread::yield_now();
            }
            diesel::sql_query("SELECT 1 FROM chat_sessions").execute(node)?;
            QueryResult::Ok(migration)
        });
        let applied = migration.unwrap().join().unwrap().unwrap();
        assert!(applied[0].ends_with("_open_names"), "{applied:?}");
    });
    assert_eq!(dump(&database), dump(&migrated()));
}

#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_schema_that_is_newer_than_the_program_is_refused_with_both_versions() {
    let database = migrated();
    database.sql("INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')");
    let before = dump(&database);
    assert!(migrate::status(database.url()).unwrap().iter().all(|migration| migration.applied));
    let opened = PgStore::open(PgConfig::new(database.url()), Arc::new(RecordingNotifier::new())).await;
    let refusals = [
        migrate::up(database.url()).unwrap_err().to_string(),
        migrate::down(database.url(), 2).unwrap_err().to_string(),
        opened.err().unwrap().to_string(),
    ];
    let newest = migrate::status(database.url()).unwrap().pop().unwrap().name;
    for text in refusals {
        for part in [database.name(), "99990101000000", newest.as_str(), "chat-server migrate down"] {
            assert!(text.contains(part), "{text}");
        }
    }
    assert_eq!(dump(&database), before);
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn applied_again_the_counters_start_with_what_is_there() {
    let database = migrated();
    // ann writes twice, waits 90 s from the first, is answered; writes again and is not. bob's session is closed.
    database.sql(
        "INSERT INTO chat_sessions
             SELECT gen_random_uuid(), owner, agent, status, 'low', NULL, '[]', 0, ended, 5, 4, NULL, 0, 0, 0, 0, owner
             FROM (VALUES ('ann', 'amy', 'active', NULL), ('bob', NULL, 'closed', 7)) AS rows (owner, agent, status, ended);
         INSERT INTO chat_messages (session_id, seq, id, author_id, sender, content, created_at, attachment_count)
             SELECT id, seq, gen_random_uuid(), 'x', sender, '', at, 0
             FROM chat_sessions,
                  (VALUES (2, 'user', 10000), (3, 'user', 50000), (4, 'support', 100000), (5, 'user', 120000))
                      AS rows (seq, sender, at)
             WHERE user_id = 'ann'",
    );
    undo_down_to(&database, "_counters");
    migrate::up(database.url()).unwrap();
    assert_eq!(database.sql("SELECT * FROM chat_stats"), "0|2|1|4|1|90000");
    let counts = database.sql("SELECT scope, holder, status, count FROM chat_session_counts ORDER BY 1, 2, 3");
    let expected =
        "agent|amy|active|1\nall||active|1\nall||closed|1\nunassigned||closed|1\nuser|ann|active|1\nuser|bob|closed|1";
    assert_eq!(counts, expected);
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn undoing_the_removal_of_the_buckets_counts_the_sessions_that_are_there() {
    let database = migrated();
    // started_at is -1 for the first one, and 2^20 for the others.
    database.sql(
        "INSERT INTO chat_sessions
             SELECT gen_random_uuid(), 'ann', agent, status, 'low', NULL, '[]', start, ended, 1, 0, NULL, 0, 0, 0, 0,
                    'ann'
             FROM (VALUES (-1, 'amy', 'active', NULL), (1048576, 'amy', 'closed', 7), (1048576, NULL, 'closed', 7))
                 AS rows (start, agent, status, ended)",
    );
    undo_down_to(&database, "_no_session_buckets");
    let counts = database.sql("SELECT scope, level, bucket, active, closed FROM chat_session_buckets ORDER BY 1, 2, 3");
    let scope = |scope, newer: u32| {
        let levels = [(16, 16), (24, 0), (32, 0)];
        levels.map(|(level, bucket)| format!("{scope}|{level}|-1|1|0\n{scope}|{level}|{bucket}|0|{newer}")).join("\n")
    };
    let unassigned = "unassigned|16|16|0|1\nunassigned|24|0|0|1\nunassigned|32|0|0|1";
    assert_eq!(counts, [&*scope("agent", 1), &*scope("all", 2), unassigned, &*scope("user", 2)].join("\n"));
    migrate::up(database.url()).unwrap();
    assert_eq!(dump(&database), dump(&migrated()));
}

#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn events_from_before_the_watermarks_had_their_names_are_read_as_they_were() {
    let database = migrated();
    let open = || PgStore::open(PgConfig::new(database.url()), Arc::new(RecordingNotifier::new()));
    let store = open().await.unwrap();
    let id = store.sessions.open(new_session(1), alice(), None).await.unwrap().session.id;
    for n in 1..=4 {
        store.messages.append(draft(id, &alice(), n)).await.unwrap();
    }
    store.messages.mark_read_up_to(id, root(), Seq::new(3), at(10)).await.unwrap();
    let session = store.sessions.change(id, change(&alice(), SessionAction::Close, 11)).await.unwrap();
    let events = store.events.read(id, Seq::ZERO, LogLimit::events(100)).await.unwrap().events;
    store.close().await;
    undo_down_to(&database, "_watermarks");
    let before = database.sql("SELECT data::JSONB ->> 'readToSupport' FROM chat_session_events WHERE kind = 'closed'");
    assert_eq!(before, "3");
    migrate::up(database.url()).unwrap();

    let store = open().await.unwrap();
    assert_eq!(store.events.read(id, Seq::ZERO, LogLimit::events(100)).await.unwrap().events, events);
    // Of its newest message the row knows nothing yet.
    assert_eq!(store.sessions.find(id).await.unwrap().unwrap().in_event(), session.in_event());
    store.close().await;
}

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Bool)]
    nullable: bool,
}

/// The table in the words of `schema.rs`.
fn described(connection: &mut PgConnection, table: &str, key: &str) -> String {
    let columns: Vec<Column> = diesel::sql_query(
        "SELECT column_name::TEXT AS name, udt_name::TEXT AS kind, is_nullable = 'YES' AS nullable
         FROM information_schema.columns
         WHERE table_schema = current_schema AND table_name = $1
         ORDER BY ordinal_position",
    )
    .bind::<Text, _>(table)
    .load(connection)
    .unwrap();
    let mut lines = vec![format!("{table} ({key}) {{")];
    for column in &columns {
        let kind = match column.kind.as_str() {
            "uuid" => "Uuid",
            "bytea" => "Binary",
            "text" => "Text",
            "int8" => "BigInt",
            "int4" => "Integer",
            "bool" => "Bool",
            "float8" => "Double",
            other => panic!("{table}.{} has the type {other}", column.name),
        };
        let kind = if column.nullable { format!("Nullable<{kind}>") } else { kind.to_owned() };
        lines.push(format!("        {} -> {kind},", column.name));
    }
    lines.push("    }".to_owned());
    lines.join("\n")
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn the_code_describes_the_tables_as_they_are() {
    let schema = include_str!("../../src/schema.rs");
    let database = migrated();
    let tables = database.sql(
        "SELECT relname, string_agg(attname, ', ' ORDER BY place)
         FROM pg_index
         JOIN pg_class ON pg_class.oid = indrelid,
         unnest(indkey) WITH ORDINALITY AS keys (number, place)
         JOIN pg_attribute ON attnum = number
         WHERE indisprimary AND attrelid = indrelid AND relname LIKE 'chat\\_%'
         GROUP BY relname",
    );
    let mut connection = connect(&database);
    for table in tables.lines() {
        let (table, key) = table.split_once('|').unwrap();
        let described = described(&mut connection, table, key);
        assert!(schema.contains(&described), "schema.rs lacks\n{described}");
    }
    assert_eq!(schema.matches("diesel::table!").count(), tables.lines().count());
}
