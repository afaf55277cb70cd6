//! The way from the repositories to SQLite: reads through a pool, writes through the writer thread.

use std::sync::Arc;
use std::time::Duration;

use chat_domain::{ChatError, Result};
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, Pool};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{Failure, no_connection};
use crate::group_commit::WriteQueue;
use crate::unit_of_work::UnitOfWork;

/// An open database.
pub(crate) struct Database {
    pub(crate) pool: Pool<ConnectionManager<SqliteConnection>>,
    /// One permit per connection of the pool, so that no thread ever blocks in the pool.
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) read_timeout: Duration,
    /// Where blocking work runs, whichever runtime the caller is on.
    pub(crate) runtime: Handle,
    pub(crate) writer: WriteQueue<UnitOfWork>,
}

impl Database {
    /// Runs one statement that reads.
    pub(crate) async fn read<R, F>(&self, work: F) -> Result<R>
    where
        R: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> Result<R, Failure> + Send + 'static,
    {
        let permit = self.permit().await?;
        let pool = self.pool.clone();
        let task = self.runtime.spawn_blocking(move || {
            let mut connection = pool.get().map_err(|error| no_connection(&error))?;
            let outcome = work(&mut connection).map_err(ChatError::from);
            drop(connection);
            // Only now: whoever gets the permit finds the connection back in the pool.
            drop(permit);
            outcome
        });
        match task.await {
            Ok(outcome) => outcome,
            Err(ended) if ended.is_panic() => Err(ChatError::internal(ended)),
            Err(_) => Err(ChatError::unavailable("database: shutting down")),
        }
    }

    /// Runs several statements that read, all of which see the database at one moment.
    pub(crate) async fn read_snapshot<R, F>(&self, work: F) -> Result<R>
    where
        R: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> Result<R, Failure> + Send + 'static,
    {
        self.read(|connection| connection.transaction(work)).await
    }

    /// Runs a member of a batch; see [`WriteQueue::run`].
    pub(crate) async fn write<R, F>(&self, mut work: F) -> Result<R>
    where
        R: Send + 'static,
        F: FnMut(&mut UnitOfWork) -> Result<R, Failure> + Send + 'static,
    {
        self.writer.run(move |unit| work(unit).map_err(ChatError::from)).await
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit> {
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            return Ok(permit);
        }
        match tokio::time::timeout(self.read_timeout, Arc::clone(&self.permits).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(ChatError::unavailable("database: shutting down")),
            Err(_) => Err(ChatError::unavailable("database: too many reads are waiting")),
        }
    }
}
