//! The migrations go both ways, run once however many processes start, survive being killed, and agree with what the
//! code believes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;

use chat_postgres::{MigrateError, PgConfig, PgStore, migrate};
use chat_testkit::RecordingNotifier;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use test_postgres::TestDatabase;

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
fn the_status_is_told_without_changing_anything() {
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
