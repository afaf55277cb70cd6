//! The sessions of the database to their one writer: a transaction, the facts of a batch, its effects.

use std::collections::HashSet;
use std::sync::Arc;

use chat_domain::model::{KnownPerson, SessionId, UserId};
use chat_domain::write::{Effects, Facts, LockSet, SessionWrite};
use chat_sql::{LockMode, PeopleMemory, SessionStore, TransactionError};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use crate::error::Failure;
use crate::{connection, load, people, persist};

/// The connection that writes.
pub(crate) struct SqliteSessionStore {
    connection: SqliteConnection,
    in_transaction: bool,
    people: Arc<PeopleMemory>,
}

impl SqliteSessionStore {
    pub(crate) fn new(connection: SqliteConnection, people: Arc<PeopleMemory>) -> Self {
        Self { connection, in_transaction: false, people }
    }
}

/// Transactions are driven by plain statements and not by diesel's transaction manager: SQLite ends a transaction by
/// itself after some errors (a full disk, for one), and the manager then takes the connection for broken for good.
impl SessionStore for SqliteSessionStore {
    type Connection = SqliteConnection;
    type Failure = Failure;

    /// A writer of SQLite has the whole database to itself, so nothing is gained by going without the lock.
    const WEAKEST: LockMode = LockMode::SkipLocked;

    /// IMMEDIATE takes the write lock now, where waiting for another process is possible, and not at the first write.
    fn begin(&mut self, _: &LockSet<'_>, _: LockMode) -> Result<(), Failure> {
        self.connection.batch_execute("BEGIN IMMEDIATE")?;
        self.in_transaction = true;
        Ok(())
    }

    fn connection(&mut self) -> Result<&mut SqliteConnection, Failure> {
        Ok(&mut self.connection)
    }

    fn load(&mut self, writes: &[&SessionWrite], locks: &LockSet<'_>, _: LockMode) -> Result<Facts, Failure> {
        load::facts(&mut self.connection, writes, locks)
    }

    fn people(&self) -> &Arc<PeopleMemory> {
        &self.people
    }

    fn find_people(&mut self, ids: &[UserId]) -> Result<Vec<Arc<KnownPerson>>, Failure> {
        people::find(&mut self.connection, ids)
    }

    fn persist(&mut self, effects: &Effects, _: &LockSet<'_>, _: LockMode) -> Result<HashSet<SessionId>, Failure> {
        persist::effects(&mut self.connection, effects)?;
        self.connection.batch_execute("COMMIT")?;
        self.in_transaction = false;
        Ok(HashSet::new())
    }

    /// If the write lock is not to be had, no write can do better alone; each would only wait as long again.
    fn transaction_error(&mut self, failure: Failure, _: LockMode) -> TransactionError {
        let error = failure.into();
        if self.in_transaction { TransactionError::Failed(error) } else { TransactionError::ConnectionLost(error) }
    }

    fn rollback(&mut self) {
        self.in_transaction = false;
        // An error means that SQLite has already rolled back by itself.
        let _no_transaction = self.connection.batch_execute("ROLLBACK");
    }

    fn close(&mut self) {
        if let Err(error) = connection::checkpoint(&mut self.connection) {
            tracing::warn!(error = %error, "could not checkpoint the write-ahead log; the next start reads it back");
        }
    }
}
