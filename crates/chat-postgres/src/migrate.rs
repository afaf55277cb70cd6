//! The schema's migrations, embedded in the program: run them, undo them, tell which are applied.
//!
//! diesel takes no lock around them, so each function that writes holds an advisory lock of the database from its first
//! look at the bookkeeping to its last change: of processes that start at once, one applies the migrations and the
//! others find them applied. Each migration is a transaction of its own, with its row in the bookkeeping; a process that is
//! killed half-way leaves whole migrations behind, and no lock, since it is one of the session.
//!
//! A migration whose `metadata.toml` says `run_in_transaction = false` is one statement that must not be in a
//! transaction, such as `CREATE INDEX CONCURRENTLY IF NOT EXISTS`.

use std::thread;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::migration::{Migration, MigrationSource, MigrationVersion};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::connection::PgTarget;
pub use crate::error::MigrateError;
use crate::error::OpenError;
use crate::suitability;
use crate::url::PgUrl;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");

/// How long to wait for another process that migrates, and for the locks of tables.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long to wait before asking for the lock again.
const PAUSE: Duration = Duration::from_millis(50);

/// The number of the advisory lock: "chatmigr" in ASCII.
const LOCK: i64 = 0x6368_6174_6d69_6772;

/// A migration and whether it is applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationStatus {
    /// Its name, such as `2026-11-22-000001_sessions`.
    pub name: String,
    /// Whether the database has it.
    pub applied: bool,
}

/// Applies every pending migration and returns their names, oldest first.
///
/// # Errors
/// When the database cannot be reached or is not suitable, another process migrates it for more than 30 seconds, it has a
/// migration that this program does not know, or a migration fails; those that were applied before it stay applied.
pub fn up(url: &str) -> Result<Vec<String>, MigrateError> {
    Migrator::connect_to_change(url)?.locked(|migrator| migrator.up(&MIGRATIONS))
}

/// Undoes the newest `steps` migrations, or all when there are fewer, and returns their names, newest first. Undoing
/// all of them leaves an empty database.
///
/// # Errors
/// As [`up`], and when one of them is not known to this program; then none is undone.
pub fn down(url: &str, steps: usize) -> Result<Vec<String>, MigrateError> {
    Migrator::connect_to_change(url)?.locked(|migrator| migrator.down(&MIGRATIONS, steps))
}

/// All migrations of this program, oldest first. Changes nothing.
///
/// # Errors
/// When the database cannot be reached.
pub fn status(url: &str) -> Result<Vec<MigrationStatus>, MigrateError> {
    Migrator::connect(url)?.status(&MIGRATIONS)
}

/// The names of the migrations that the database lacks.
///
/// # Errors
/// The database has a migration that this program does not know, or cannot be asked.
pub(crate) fn pending(url: &PgUrl) -> Result<Vec<String>, MigrateError> {
    let mut migrator = Migrator::connect_to(url, PATIENCE)?;
    migrator.refuse_newer(&MIGRATIONS)?;
    let all = migrator.status(&MIGRATIONS)?;
    Ok(all.into_iter().filter(|migration| !migration.applied).map(|migration| migration.name).collect())
}

/// The name of the newest migration of this program.
pub(crate) fn newest() -> String {
    known(&MIGRATIONS)
        .ok()
        .and_then(|known| known.last().map(|migration| migration.name().to_string()))
        .unwrap_or_default()
}

type KnownMigrations = Vec<Box<dyn Migration<Pg>>>;
type AnyError = Box<dyn std::error::Error + Send + Sync>;

fn known(source: &impl MigrationSource<Pg>) -> Result<KnownMigrations, AnyError> {
    let mut known = source.migrations()?;
    known.sort_unstable_by(|a, b| a.name().version().cmp(&b.name().version()));
    Ok(known)
}

#[derive(QueryableByName)]
struct BoolRow {
    #[diesel(sql_type = Bool)]
    value: bool,
}

#[derive(QueryableByName)]
struct MigrationLine {
    #[diesel(sql_type = Text)]
    line: String,
}

/// A connection that changes the schema.
struct Migrator {
    connection: PgConnection,
    database: String,
    patience: Duration,
}

impl Migrator {
    fn connect(url: &str) -> Result<Self, MigrateError> {
        Self::connect_to(&PgUrl::parse(url).map_err(|problem| OpenError::Url { problem })?, PATIENCE)
    }

    /// For changes: first it is made sure that they can succeed.
    fn connect_to_change(url: &str) -> Result<Self, MigrateError> {
        let url = PgUrl::parse(url).map_err(|problem| OpenError::Url { problem })?;
        url.check_tls()?;
        suitability::check(&url, &PgTarget::migrator(&url, PATIENCE))?;
        Self::connect_to(&url, PATIENCE)
    }

    fn connect_to(url: &PgUrl, patience: Duration) -> Result<Self, MigrateError> {
        url.check_tls()?;
        let database = url.shown().to_owned();
        match PgTarget::migrator(url, patience).connect() {
            Ok(connection) => Ok(Self { connection, database, patience }),
            Err(error) => Err(OpenError::Connect { database, reason: error.to_string() }.into()),
        }
    }

    /// Runs `work` while no other process migrates.
    fn locked<R>(mut self, work: impl FnOnce(&mut Self) -> Result<R, MigrateError>) -> Result<R, MigrateError> {
        self.lock()?;
        let outcome = work(&mut self);
        // The end of the session gives up the lock too; this does so when a pooler keeps the session.
        let _unlocked: QueryResult<BoolRow> = diesel::sql_query("SELECT pg_advisory_unlock($1) AS value")
            .bind::<BigInt, _>(LOCK)
            .get_result(&mut self.connection);
        outcome
    }

    /// Asks again and again instead of waiting inside `pg_advisory_lock`: a statement that waits holds a snapshot, and
    /// an index that is built concurrently waits for the end of all older snapshots, so the two would wait for each other.
    fn lock(&mut self) -> Result<(), MigrateError> {
        let start = Instant::now();
        loop {
            let taken: QueryResult<BoolRow> = diesel::sql_query("SELECT pg_try_advisory_lock($1) AS value")
                .bind::<BigInt, _>(LOCK)
                .get_result(&mut self.connection);
            match taken {
                Ok(BoolRow { value: true }) => return Ok(()),
                Ok(BoolRow { value: false }) if start.elapsed() < self.patience => thread::sleep(PAUSE),
                Ok(BoolRow { value: false }) => {
                    return Err(MigrateError::Busy { database: self.database.clone(), waited: self.patience });
                }
                Err(error) => return Err(self.bookkeeping(&error)),
            }
        }
    }

    /// # Errors
    /// `Unknown` when the database has a migration that `source` has not.
    fn refuse_newer(&mut self, source: &impl MigrationSource<Pg>) -> Result<(), MigrateError> {
        let applied = self.versions().map_err(|error| self.bookkeeping(&error))?;
        let known = known(source).map_err(|error| self.bookkeeping(&error))?;
        let is_known = |version: &String| known.iter().any(|step| step.name().version() == version.as_str().into());
        let unknown = applied.into_iter().filter(|version| !is_known(version)).max();
        unknown.map_or(Ok(()), |version| Err(self.unknown(version, &known)))
    }

    fn unknown(&self, version: String, known: &KnownMigrations) -> MigrateError {
        let newest = known.last().map(|migration| migration.name().to_string()).unwrap_or_default();
        MigrateError::Unknown { database: self.database.clone(), version, newest }
    }

    fn up(&mut self, source: &impl MigrationSource<Pg>) -> Result<Vec<String>, MigrateError> {
        self.refuse_newer(source)?;
        let applied = self.connection.applied_migrations().map_err(|error| self.bookkeeping(&error))?;
        let known = known(source).map_err(|error| self.bookkeeping(&error))?;
        let mut names = Vec::new();
        for migration in known.iter().filter(|migration| !applied.contains(&migration.name().version())) {
            let name = migration.name().to_string();
            self.step(migration.as_ref(), |connection, migration| connection.run_migration(migration).map(|_| ()))
                .map_err(|error| self.failed(&name, &error))?;
            names.push(name);
        }
        Ok(names)
    }

    fn down(&mut self, source: &impl MigrationSource<Pg>, steps: usize) -> Result<Vec<String>, MigrateError> {
        let applied = self.connection.applied_migrations().map_err(|error| self.bookkeeping(&error))?;
        let known = known(source).map_err(|error| self.bookkeeping(&error))?;
        let of_version = |version: &MigrationVersion<'_>| {
            let found = known.iter().find(|migration| migration.name().version() == *version);
            found.ok_or_else(|| self.unknown(version.to_string(), &known))
        };
        let newest = applied.iter().take(steps).map(of_version).collect::<Result<Vec<_>, _>>()?;
        let mut names = Vec::new();
        for migration in newest {
            let name = migration.name().to_string();
            self.step(migration.as_ref(), |connection, migration| connection.revert_migration(migration).map(|_| ()))
                .map_err(|error| self.failed(&name, &error))?;
            names.push(name);
        }
        if names.len() == applied.len() {
            let dropped = self.connection.batch_execute("DROP TABLE __diesel_schema_migrations");
            dropped.map_err(|error| self.bookkeeping(&error))?;
        }
        Ok(names)
    }

    /// Runs or undoes one migration.
    fn step(
        &mut self,
        migration: &dyn Migration<Pg>,
        go: impl FnOnce(&mut PgConnection, &dyn Migration<Pg>) -> Result<(), AnyError>,
    ) -> Result<(), AnyError> {
        if migration.metadata().run_in_transaction() {
            return go(&mut self.connection, migration);
        }
        self.drop_invalid_indexes()?;
        // A concurrent build waits for every older transaction and blocks no other transaction meanwhile.
        self.connection.batch_execute("SET lock_timeout = 0")?;
        let outcome = go(&mut self.connection, migration);
        let patience = format!("SET lock_timeout = {}", self.patience.as_millis());
        outcome.and(self.connection.batch_execute(&patience).map_err(AnyError::from))
    }

    /// Removes what a concurrent build leaves behind when it is killed: an index that every write keeps up to date and
    /// no query uses, and whose name is taken.
    fn drop_invalid_indexes(&mut self) -> QueryResult<()> {
        let drops: Vec<MigrationLine> = diesel::sql_query(
            "SELECT format('DROP INDEX CONCURRENTLY %s', indexrelid::regclass) AS line
             FROM pg_index
             JOIN pg_class ON pg_class.oid = indrelid
             WHERE NOT indisvalid AND relname LIKE 'chat\\_%' AND relnamespace = current_schema::regnamespace",
        )
        .load(&mut self.connection)?;
        drops.iter().try_for_each(|drop| self.connection.batch_execute(&drop.line))
    }

    fn status(&mut self, source: &impl MigrationSource<Pg>) -> Result<Vec<MigrationStatus>, MigrateError> {
        let applied = self.versions().map_err(|error| self.bookkeeping(&error))?;
        let known = known(source).map_err(|error| self.bookkeeping(&error))?;
        let status = |migration: &dyn Migration<Pg>| MigrationStatus {
            name: migration.name().to_string(),
            applied: applied.contains(&migration.name().version().to_string()),
        };
        Ok(known.iter().map(|migration| status(migration.as_ref())).collect())
    }

    /// The versions of the migrations that are applied. diesel's own question would make its table first, which is a
    /// change.
    fn versions(&mut self) -> QueryResult<Vec<String>> {
        let table: BoolRow = diesel::sql_query("SELECT to_regclass('__diesel_schema_migrations') IS NOT NULL AS value")
            .get_result(&mut self.connection)?;
        if !table.value {
            return Ok(Vec::new());
        }
        let versions: Vec<MigrationLine> =
            diesel::sql_query("SELECT version::TEXT AS line FROM __diesel_schema_migrations")
                .load(&mut self.connection)?;
        Ok(versions.into_iter().map(|row| row.line).collect())
    }

    fn bookkeeping(&self, error: &impl ToString) -> MigrateError {
        MigrateError::Bookkeeping { database: self.database.clone(), reason: error.to_string() }
    }

    fn failed(&self, migration: &str, error: &AnyError) -> MigrateError {
        let (database, migration) = (self.database.clone(), migration.to_owned());
        MigrateError::Failed { database, migration, reason: error.to_string() }
    }
}

#[cfg(test)]
mod tests;
