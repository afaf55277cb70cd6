//! Migrations outside a transaction, and the lock, by migrations of the tests' own.

use std::fs;
use std::path::Path;

use diesel_migrations::FileBasedMigrations;
use tempfile::TempDir;
use test_servers::postgres::TestDatabase;

use super::*;

fn write(directory: &Path, name: &str, files: &[(&str, &str)]) {
    let step = directory.join(name);
    fs::create_dir(&step).unwrap();
    for (file, text) in files {
        fs::write(step.join(file), text).unwrap();
    }
}

/// A table, and an index that is built concurrently.
fn steps() -> (TempDir, FileBasedMigrations) {
    let directory = tempfile::tempdir().unwrap();
    let table = "CREATE TABLE chat_things (id BIGINT NOT NULL);
                 INSERT INTO chat_things SELECT generate_series(1, 1000);";
    write(directory.path(), "2026-01-01-000001_things", &[("up.sql", table), ("down.sql", "DROP TABLE chat_things")]);
    write(
        directory.path(),
        "2026-01-01-000002_index",
        &[
            ("up.sql", "CREATE INDEX CONCURRENTLY IF NOT EXISTS chat_things_by_id ON chat_things (id)"),
            ("down.sql", "DROP INDEX CONCURRENTLY chat_things_by_id"),
            ("metadata.toml", "run_in_transaction = false"),
        ],
    );
    let source = FileBasedMigrations::from_path(directory.path()).unwrap();
    (directory, source)
}

fn migrator(database: &TestDatabase, patience: Duration) -> Migrator {
    Migrator::connect_to(&PgUrl::parse(database.url()).unwrap(), patience).unwrap()
}

const VALID_INDEXES: &str =
    "SELECT count(*) FROM pg_index WHERE indexrelid = to_regclass('chat_things_by_id') AND indisvalid";

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn processes_that_build_an_index_concurrently_do_not_deadlock() {
    let (_directory, source) = steps();
    for _ in 0..5 {
        let database = TestDatabase::empty();
        let applied: usize = thread::scope(|scope| {
            let racer = || migrator(&database, PATIENCE).locked(|migrator| migrator.up(&source)).unwrap().len();
            let racers: Vec<_> = (0..4).map(|_| scope.spawn(racer)).collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).sum()
        });
        assert_eq!(applied, 2);
        assert_eq!(database.sql(VALID_INDEXES), "1");
    }
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn an_index_whose_build_was_killed_is_built_again() {
    let (_directory, source) = steps();
    let database = TestDatabase::empty();
    migrator(&database, PATIENCE).locked(|migrator| migrator.up(&source)).unwrap();
    // What a killed build leaves: the index, not valid, and no row that says that the migration was applied.
    database.sql("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'chat_things_by_id'::regclass");
    database.sql("DELETE FROM __diesel_schema_migrations WHERE version LIKE '%2'");
    assert_eq!(database.sql(VALID_INDEXES), "0");
    let applied = migrator(&database, PATIENCE).locked(|migrator| migrator.up(&source)).unwrap();
    assert_eq!(applied, ["2026-01-01-000002_index"]);
    assert_eq!(database.sql(VALID_INDEXES), "1");
    let undone = migrator(&database, PATIENCE).locked(|migrator| migrator.down(&source, usize::MAX)).unwrap();
    assert_eq!(undone.len(), 2);
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn a_wait_for_another_migration_ends_with_an_error() {
    let (_directory, source) = steps();
    let database = TestDatabase::empty();
    let mut first = migrator(&database, PATIENCE);
    first.lock().unwrap();
    let second = migrator(&database, Duration::from_millis(120)).locked(|migrator| migrator.up(&source));
    assert!(matches!(second, Err(MigrateError::Busy { .. })), "{second:?}");
    drop(first);
    assert_eq!(migrator(&database, PATIENCE).locked(|migrator| migrator.up(&source)).unwrap().len(), 2);
}
