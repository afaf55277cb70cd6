//! The schema's migrations, embedded in the program: run them, undo them, tell which are applied.
//!
//! diesel takes no lock around them, so each function that writes holds SQLite's exclusive lock from its first look at
//! the bookkeeping to its last change: two processes that start at once apply each migration once, and a failure leaves
//! everything as it was.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{process, thread};

use diesel::connection::SimpleConnection;
use diesel::migration::{Migration, MigrationSource};
use diesel::prelude::*;
use diesel::result::Error as DieselError;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::connection::{OpenMode, check_encoding, connect, use_write_ahead_log};
pub use crate::error::MigrateError;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

/// How long to wait for another process that migrates or writes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A migration and whether it is applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationStatus {
    /// Its name, such as `2026-11-22-000001_sessions`.
    pub name: String,
    /// Whether the database has it.
    pub applied: bool,
}

/// Applies every pending migration, making the file if it is not there, and returns their names, oldest first.
///
/// # Errors
/// When the file cannot be opened, has a migration that this program does not know, or a migration fails; then none of
/// them is applied.
pub fn up(path: impl AsRef<Path>) -> Result<Vec<String>, MigrateError> {
    let path = path.as_ref();
    create_private(path).map_err(|error| MigrateError::File { path: path.to_owned(), reason: error.to_string() })?;
    let mut connection = open(path, OpenMode::Create)?;
    check_encoding(&mut connection, path).map_err(|error| MigrateError::Encoding(Box::new(error)))?;
    switch_to_write_ahead_log(&mut connection).map_err(|error| failed(path, &error))?;
    let applied: Result<_, MigrationStop> = connection.exclusive_transaction(|connection| {
        refuse_newer(&versions(connection)?)?;
        let pending = connection.pending_migrations(MIGRATIONS)?;
        pending
            .iter()
            .map(|migration| {
                connection.run_migration(migration)?;
                Ok(migration.name().to_string())
            })
            .collect()
    });
    applied.map_err(|stop| stop.at(path))
}

/// Undoes the newest `steps` migrations, or all when there are fewer, and returns their names, newest first. Undoing
/// all of them leaves an empty database.
///
/// # Errors
/// When the file cannot be opened, its newest migration is not one of this program, or a migration fails; then none of
/// them is undone.
pub fn down(path: impl AsRef<Path>, steps: usize) -> Result<Vec<String>, MigrateError> {
    let path = path.as_ref();
    let mut connection = open(path, OpenMode::Write)?;
    let undone: Result<_, MigrationStop> = connection.exclusive_transaction(|connection| {
        let known = known()?;
        let applied = connection.applied_migrations()?;
        let mut undone = Vec::new();
        for version in applied.iter().take(steps) {
            let migration = known.iter().find(|migration| migration.name().version() == *version);
            let migration = migration.ok_or_else(|| MigrationStop::Unknown { version: version.to_string() })?;
            connection.revert_migration(migration)?;
            undone.push(migration.name().to_string());
        }
        if undone.len() == applied.len() {
            connection.batch_execute("DROP TABLE __diesel_schema_migrations")?;
        }
        Ok(undone)
    });
    undone.map_err(|stop| stop.at(path))
}

/// All migrations of this program, oldest first. Changes nothing, not even when the file is missing.
///
/// # Errors
/// When the file cannot be opened.
pub fn status(path: impl AsRef<Path>) -> Result<Vec<MigrationStatus>, MigrateError> {
    let path = path.as_ref();
    if !path.exists() {
        return statuses(&BTreeSet::new()).map_err(|stop| stop.at(path));
    }
    let mut connection = open(path, OpenMode::Write)?;
    status_of(&mut connection).map_err(|stop| stop.at(path))
}

/// The names of the migrations that the database lacks.
///
/// # Errors
/// The database has a migration that this program does not know.
pub(crate) fn pending(connection: &mut SqliteConnection, path: &Path) -> Result<Vec<String>, MigrateError> {
    let applied = versions(connection).map_err(|stop| stop.at(path))?;
    refuse_newer(&applied).map_err(|stop| stop.at(path))?;
    let all = statuses(&applied).map_err(|stop| stop.at(path))?;
    Ok(all.into_iter().filter(|migration| !migration.applied).map(|migration| migration.name).collect())
}

/// The name of the newest migration of this program.
pub(crate) fn newest() -> String {
    known().ok().and_then(|known| known.last().map(|migration| migration.name().to_string())).unwrap_or_default()
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = Text)]
    version: String,
}

fn status_of(connection: &mut SqliteConnection) -> Result<Vec<MigrationStatus>, MigrationStop> {
    statuses(&versions(connection)?)
}

fn refuse_newer(applied: &BTreeSet<String>) -> Result<(), MigrationStop> {
    let known: BTreeSet<String> = known()?.iter().map(|migration| migration.name().version().to_string()).collect();
    applied.difference(&known).last().map_or(Ok(()), |version| Err(MigrationStop::Unknown { version: version.clone() }))
}

/// The versions of the migrations that are applied.
fn versions(connection: &mut SqliteConnection) -> Result<BTreeSet<String>, MigrationStop> {
    // diesel's own question would make its table first, which is a change.
    let table: Count = diesel::sql_query(
        "SELECT count(*) AS count FROM sqlite_master WHERE type = 'table' AND name = '__diesel_schema_migrations'",
    )
    .get_result(connection)?;
    let mut applied = BTreeSet::new();
    if table.count > 0 {
        let versions: Vec<Version> =
            diesel::sql_query("SELECT version FROM __diesel_schema_migrations").load(connection)?;
        applied.extend(versions.into_iter().map(|row| row.version));
    }
    Ok(applied)
}

fn statuses(applied: &BTreeSet<String>) -> Result<Vec<MigrationStatus>, MigrationStop> {
    let all = known()?;
    let status = |migration: &dyn Migration<Sqlite>| MigrationStatus {
        name: migration.name().to_string(),
        applied: applied.contains(&migration.name().version().to_string()),
    };
    Ok(all.iter().map(|migration| status(migration.as_ref())).collect())
}

fn known() -> Result<Vec<Box<dyn Migration<Sqlite>>>, MigrationStop> {
    let mut known = MigrationSource::<Sqlite>::migrations(&MIGRATIONS)?;
    known.sort_unstable_by(|a, b| a.name().version().cmp(&b.name().version()));
    Ok(known)
}

fn open(path: &Path, access: OpenMode) -> Result<SqliteConnection, MigrateError> {
    connect(path, access, PATIENCE)
        .map_err(|error| MigrateError::File { path: path.to_owned(), reason: error.to_string() })
}

fn failed(path: &Path, reason: &impl Display) -> MigrateError {
    MigrateError::Failed { path: path.to_owned(), reason: reason.to_string() }
}

/// Why a transaction of migrations was left.
enum MigrationStop {
    Unknown { version: String },
    Failed(String),
}

impl MigrationStop {
    fn at(self, path: &Path) -> MigrateError {
        match self {
            Self::Unknown { version } => MigrateError::Unknown { path: path.to_owned(), version, newest: newest() },
            Self::Failed(reason) => MigrateError::Failed { path: path.to_owned(), reason },
        }
    }
}

impl From<diesel::result::Error> for MigrationStop {
    fn from(error: diesel::result::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<Box<dyn std::error::Error + Send + Sync>> for MigrationStop {
    fn from(error: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Makes the file, when it is missing, so that only its owner can read what people wrote. SQLite gives the files beside
/// it the same mode.
///
/// It is made under another name, closed, and linked to its place. A process that closes a file gives up all locks that the
/// process has on it, those of SQLite's connections too (<https://sqlite.org/howtocorrupt.html>, 2.2), so the file in its
/// place must never be opened past SQLite.
pub(crate) fn create_private(path: &Path) -> io::Result<()> {
    static DRAFTS: AtomicU64 = AtomicU64::new(0);
    if path.try_exists()? {
        return Ok(());
    }
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}-{}.new", process::id(), DRAFTS.fetch_add(1, Ordering::Relaxed)));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    drop(options.open(&draft)?);
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Switches the file to a write-ahead log. While another process does the same, SQLite refuses at once instead of
/// waiting, since two that wait for each other would deadlock.
fn switch_to_write_ahead_log(connection: &mut SqliteConnection) -> QueryResult<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match use_write_ahead_log(connection) {
            Err(DieselError::DatabaseError(_, info))
                if info.message().contains("locked") && Instant::now() < deadline =>
            {
                thread::sleep(Duration::from_millis(5));
            }
            outcome => return outcome.map(|_mode| ()),
        }
    }
}
