//! What goes wrong here, and the only place where errors of diesel and r2d2 become errors of the domain.

use std::io;
use std::path::PathBuf;

use chat_domain::ChatError;
use chat_sql::{Corrupt, ReadFailure};
use diesel::result::{DatabaseErrorKind, Error as DieselError};

/// Why work on the database ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The database could not do it.
    Database(DieselError),
    /// A row holds something that was never written by this crate.
    Corrupt(Corrupt),
}

impl Failure {
    pub(crate) fn corrupt(column: &'static str, problem: &'static str) -> Self {
        Self::Corrupt(Corrupt { column, problem })
    }
}

impl From<Corrupt> for Failure {
    fn from(corrupt: Corrupt) -> Self {
        Self::Corrupt(corrupt)
    }
}

impl ReadFailure for Failure {
    /// SQLite's connections are part of this process.
    fn is_lost(&self) -> bool {
        false
    }
}

impl From<DieselError> for Failure {
    fn from(error: DieselError) -> Self {
        Self::Database(error)
    }
}

impl From<Failure> for ChatError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Database(error) => translate(error),
            Failure::Corrupt(corrupt) => corrupt.into(),
        }
    }
}

/// What SQLite says when it is busy, out of space or cut off from its file. diesel gives no result code for these, so
/// the texts of `sqlite3_errstr` have to do; they have not changed since 2013.
const PASSING: [&str; 6] = [
    "database is locked",
    "database table is locked",
    "database or disk is full",
    "disk I/O error",
    "unable to open database file",
    "interrupted",
];

fn translate(error: DieselError) -> ChatError {
    if let DieselError::DatabaseError(DatabaseErrorKind::Unknown, info) = &error
        && PASSING.iter().any(|text| info.message().contains(text))
    {
        return ChatError::unavailable(format!("database: {}", info.message()));
    }
    ChatError::internal(error)
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file is missing, not accessible, or no database.
    #[error(
        "cannot open the database {path}: {reason}; check that the file exists and can be written by this process, or create it by running the migrations"
    )]
    File {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        reason: String,
    },
    /// The file system cannot hold a database in WAL mode.
    #[error(
        "the database {path} cannot use a write-ahead log (its journal mode stays {mode:?}); put it on a local file system"
    )]
    WriteAheadLog {
        /// The database.
        path: PathBuf,
        /// The journal mode it has.
        mode: String,
    },
    /// The file does not hold text as UTF-8.
    #[error(
        "the database {path} has the encoding {encoding}, and must have UTF-8, in which text is compared; the encoding of a file cannot be changed, so copy its content into a new one with `sqlite3 OLD .dump | sqlite3 NEW`"
    )]
    Encoding {
        /// The database.
        path: PathBuf,
        /// Its encoding, in SQLite's words.
        encoding: String,
    },
    /// The schema is older than this program.
    #[error("the database {path} misses migrations ({}); run `chat-server migrate up`", .pending.join(", "))]
    PendingMigrations {
        /// The database.
        path: PathBuf,
        /// What is missing, oldest first.
        pending: Vec<String>,
    },
    /// The state of the migrations could not be read.
    #[error(transparent)]
    Migrations(#[from] MigrateError),
    /// The database cannot be asked which one it is.
    #[error("cannot read the identity of the database {path}: {reason}")]
    Identity {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        reason: String,
    },
    /// The database does not say which one it is: the row was removed.
    #[error("the table chat_identity of the database {path} is empty; restore the database from a backup")]
    NoIdentity {
        /// The database.
        path: PathBuf,
    },
    /// The database does not say which history its positions belong to.
    #[error("cannot read or write the epoch of the database {path}: {reason}; nothing was changed")]
    Epoch {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        reason: String,
    },
    /// The operating system gives no thread.
    #[error("cannot start the threads that read and write the database {path}")]
    Thread {
        /// The database.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
}

/// Why a copy of a database was not made, or is of no use.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The database cannot be read, or the copy not written.
    #[error("cannot copy the database {path} to {target}: {reason}")]
    Copy {
        /// The database.
        path: PathBuf,
        /// The copy.
        target: PathBuf,
        /// What SQLite or the operating system says.
        reason: String,
    },
    /// The file is not what a database was copied to.
    #[error("{path} is damaged, or no database of chat-server: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
}

/// Why migrations were not run. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The file is not accessible, or no database.
    #[error(
        "cannot open the database {path}: {reason}; check that its directory exists and can be written by this process"
    )]
    File {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        reason: String,
    },
    /// A migration or its bookkeeping failed.
    #[error("cannot migrate the database {path}: {reason}; nothing was changed")]
    Failed {
        /// The database.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// The database has a migration that is not one of this program: a newer version made it.
    #[error(
        "the database {path} has the migration {version}, and the newest that this program knows is {newest}; use the version of chat-server that made it, or a later one, or take it back with that version (`chat-server migrate down`)"
    )]
    Unknown {
        /// The database.
        path: PathBuf,
        /// The version of the database's newest migration that is unknown, such as `20261128000013`.
        version: String,
        /// The newest one of this program, such as `2026-11-28-000013_open_names`.
        newest: String,
    },
    /// The file does not hold text as UTF-8.
    #[error(transparent)]
    Encoding(Box<OpenError>),
}
