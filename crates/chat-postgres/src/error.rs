//! What goes wrong here, and the only place where errors of diesel and r2d2 become errors of the domain.

use std::io;
use std::time::Duration;

use chat_domain::ChatError;
use chat_sql::{Corrupt, ReadFailure};
use diesel::result::{DatabaseErrorKind, Error as DieselError};

/// Why work on the database ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The database could not do it.
    Database(DieselError),
    /// A row holds something that was never written by this program.
    Corrupt(Corrupt),
    /// There is no way to the database.
    NotConnected(String),
}

impl Failure {
    pub(crate) fn corrupt(column: &'static str, problem: &'static str) -> Self {
        Self::Corrupt(Corrupt { column, problem })
    }
}

impl ReadFailure for Failure {
    fn is_lost(&self) -> bool {
        matches!(self, Self::Database(error) if is_lost(error))
    }
}

impl From<DieselError> for Failure {
    fn from(error: DieselError) -> Self {
        Self::Database(error)
    }
}

impl From<Corrupt> for Failure {
    fn from(corrupt: Corrupt) -> Self {
        Self::Corrupt(corrupt)
    }
}

impl From<Failure> for ChatError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Database(error) => translate(error),
            Failure::Corrupt(corrupt) => corrupt.into(),
            Failure::NotConnected(reason) => Self::unavailable(format!("database: cannot connect to write: {reason}")),
        }
    }
}

/// Whether the connection is of no use any more: closed, broken, or to a server that has become a standby. A new one may
/// be to another server.
pub(crate) fn is_lost(error: &DieselError) -> bool {
    match error {
        DieselError::DatabaseError(kind, _) => matches!(
            kind,
            DatabaseErrorKind::ClosedConnection
                | DatabaseErrorKind::UnableToSendCommand
                | DatabaseErrorKind::ReadOnlyTransaction
        ),
        DieselError::BrokenTransactionManager => true,
        DieselError::RollbackErrorOnCommit { rollback_error, commit_error } => {
            is_lost(rollback_error) || is_lost(commit_error)
        }
        _ => false,
    }
}

/// Whether the transaction lost against another one and may simply be run again.
pub(crate) fn is_serialization_failure(error: &DieselError) -> bool {
    match error {
        DieselError::DatabaseError(kind, _) => matches!(kind, DatabaseErrorKind::SerializationFailure),
        DieselError::RollbackErrorOnCommit { commit_error, .. } => is_serialization_failure(commit_error),
        _ => false,
    }
}

/// diesel tells no SQLSTATE, and the texts are in the server's language. What it has no kind of its own for is `Unknown`:
/// a deadlock, a lock or a statement that took too long, a shutdown, a full disk. All of these pass, so `Unknown` is taken
/// for passing. A statement that the server does not understand is `Unknown` too, and stays; tests find that one.
fn translate(error: DieselError) -> ChatError {
    let passes = is_lost(&error)
        || is_serialization_failure(&error)
        || matches!(&error, DieselError::DatabaseError(DatabaseErrorKind::Unknown, _));
    if passes { ChatError::unavailable(format!("database: {error}")) } else { ChatError::internal(error) }
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is none.
    #[error(
        "the value of --database-url (CHAT_DATABASE_URL) {problem}; write it like postgres://chat:password@db.example.com:5432/chat"
    )]
    Url {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The URL or the environment asks for something unknown about TLS.
    #[error("{said} is unknown; sslmode is one of disable, allow, prefer, require, verify-ca, verify-full")]
    TlsMode {
        /// The setting and its value.
        said: String,
    },
    /// TLS is asked for, and this program has none.
    #[error(
        "{said} asks for TLS, and this program was built without it; build it with `--no-default-features --features system-libpq`, or set sslmode=disable if the network is trusted or a proxy on this machine adds the TLS"
    )]
    TlsNotBuilt {
        /// The setting and its value.
        said: String,
    },
    /// There is no way to the server, or it accepts no connection.
    #[error("cannot connect to the database {database} (--database-url, CHAT_DATABASE_URL): {reason}")]
    Connect {
        /// The database, without a password.
        database: String,
        /// What libpq says.
        reason: String,
    },
    /// The database cannot hold all text.
    #[error(
        "the database {database} has the encoding {encoding}, and people write in every script: it must be UTF8; the encoding of a database cannot be changed, so make another one with `CREATE DATABASE chat ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0` and name it in --database-url (CHAT_DATABASE_URL)"
    )]
    Encoding {
        /// The database, without a password.
        database: String,
        /// Its encoding, in the server's words.
        encoding: String,
    },
    /// A connection is not one session of the server.
    #[error(
        "a connection to {database} (--database-url, CHAT_DATABASE_URL) changes the server's session between transactions, as with PgBouncer's pool_mode = transaction or statement; chat-server holds advisory locks, settings and prepared statements in its sessions, so connect to PostgreSQL itself, or through a pooler with pool_mode = session; nothing was changed"
    )]
    Pooled {
        /// The database, without a password.
        database: String,
    },
    /// The schema is older than this program.
    #[error("the database {database} misses migrations ({}); run `chat-server migrate up`", .pending.join(", "))]
    PendingMigrations {
        /// The database, without a password.
        database: String,
        /// What is missing, oldest first.
        pending: Vec<String>,
    },
    /// The state of the migrations could not be read.
    #[error(transparent)]
    Migrations(#[from] MigrateError),
    /// The database cannot be asked which one it is.
    #[error("cannot read the identity of the database {database}: {reason}")]
    Identity {
        /// The database, without a password.
        database: String,
        /// What the server says.
        reason: String,
    },
    /// The database does not say which one it is: the row was removed.
    #[error("the table chat_identity of the database {database} is empty; restore the database from a backup")]
    NoIdentity {
        /// The database, without a password.
        database: String,
    },
    /// The database does not say which history its positions belong to.
    #[error("cannot read or write the epoch of the database {database}: {reason}; nothing was changed")]
    Epoch {
        /// The database, without a password.
        database: String,
        /// What the server says.
        reason: String,
    },
    /// The database does not say by what its nodes know each other.
    #[error(
        "cannot read the fan-out key of the database {database}: {reason}; if the one row of chat_fanout_key is missing or wrong, `chat-server epoch rotate` makes another one"
    )]
    FanoutKey {
        /// The database, without a password.
        database: String,
        /// What the server says.
        reason: String,
    },
    /// The database is a standby, on which the name of the primary cannot be asked for.
    #[error(
        "the connection to {database} (--database-url, CHAT_DATABASE_URL) leads to a standby, and what servers know each other by can be asked of the primary alone; leave target_session_attrs out of the URL, or set target_session_attrs=read-write"
    )]
    Standby {
        /// The database, without a password.
        database: String,
    },
    /// The operating system gives no thread.
    #[error("cannot start the threads that read and write the database {database}")]
    Thread {
        /// The database, without a password.
        database: String,
        /// What the operating system says.
        source: io::Error,
    },
}

/// Why migrations were not run, or not all of them.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database cannot be reached.
    #[error(transparent)]
    Open(Box<OpenError>),
    /// Another process is migrating.
    #[error(
        "another process has been migrating the database {database} for {} s; wait until it is done, or end it", .waited.as_secs()
    )]
    Busy {
        /// The database, without a password.
        database: String,
        /// How long this one has waited.
        waited: Duration,
    },
    /// The bookkeeping of the migrations cannot be read or written.
    #[error("cannot tell which migrations the database {database} has: {reason}; nothing was changed")]
    Bookkeeping {
        /// The database, without a password.
        database: String,
        /// What went wrong.
        reason: String,
    },
    /// A migration failed. Those that were run before it stay.
    #[error(
        "cannot migrate the database {database}: {migration} failed: {reason}; what was done before it stays done, and `chat-server migrate status` tells how far it is"
    )]
    Failed {
        /// The database, without a password.
        database: String,
        /// The migration.
        migration: String,
        /// What went wrong.
        reason: String,
    },
    /// The database has a migration that is not one of this program: a newer version made it. Nothing has changed.
    #[error(
        "the database {database} has the migration {version}, and the newest that this program knows is {newest}; use the version of chat-server that made it, or a later one, or take it back with that version (`chat-server migrate down`)"
    )]
    Unknown {
        /// The database, without a password.
        database: String,
        /// The version of the database's newest migration that is unknown, such as `20261128000013`.
        version: String,
        /// The newest one of this program, such as `2026-11-28-000013_open_names`.
        newest: String,
    },
}

impl From<OpenError> for MigrateError {
    fn from(error: OpenError) -> Self {
        Self::Open(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(kind: DatabaseErrorKind) -> DieselError {
        DieselError::DatabaseError(kind, Box::new("it says".to_owned()))
    }

    #[test]
    fn transient_errors_are_unavailable_and_the_rest_are_internal() {
        use DatabaseErrorKind as Kind;
        for (error, lost, passes) in [
            (database(Kind::ClosedConnection), true, true),
            (database(Kind::UnableToSendCommand), true, true),
            (database(Kind::ReadOnlyTransaction), true, true),
            (DieselError::BrokenTransactionManager, true, true),
            (database(Kind::SerializationFailure), false, true),
            (database(Kind::Unknown), false, true),
            (database(Kind::UniqueViolation), false, false),
            (database(Kind::CheckViolation), false, false),
            (DieselError::NotFound, false, false),
        ] {
            assert_eq!(is_lost(&error), lost, "{error:?}");
            let shown = format!("{error:?}");
            let unavailable = matches!(ChatError::from(Failure::from(error)), ChatError::Unavailable { .. });
            assert_eq!(unavailable, passes, "{shown}");
        }
    }

    #[test]
    fn a_commit_that_cannot_be_rolled_back_counts_as_what_it_failed_with() {
        let error = DieselError::RollbackErrorOnCommit {
            rollback_error: Box::new(database(DatabaseErrorKind::UnableToSendCommand)),
            commit_error: Box::new(database(DatabaseErrorKind::SerializationFailure)),
        };
        assert!(is_lost(&error) && is_serialization_failure(&error));
    }
}
