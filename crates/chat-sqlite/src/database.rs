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
use crate::read_threads::ReadThreads;
use crate::unit_of_work::UnitOfWork;

/// An open database.
pub(crate) struct Database {
    pub(crate) pool: Pool<ConnectionManager<SqliteConnection>>,
    /// One thread per connection of the pool, so that no thread ever waits in the pool.
    pub(crate) threads: ReadThreads,
    /// How many reads may wait for the threads; more wait here, and not for ever.
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) read_timeout: Duration,
    /// Where the store was opened.
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
        let task = self.threads.run(move || {
            let mut connection = pool.get().map_err(|error| no_connection(&error))?;
            let outcome = work(&mut connection).map_err(ChatError::from);
            drop(permit);
            outcome
        });
        let Some(task) = task else { return Err(ChatError::unavailable("database: shutting down")) };
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use chat_testkit::RecordingNotifier;

    use super::*;
    use crate::{SqliteConfig, SqliteStore, migrate};

    async fn store(dir: &tempfile::TempDir) -> SqliteStore {
        let path = dir.path().join("chat.db");
        migrate::up(&path).unwrap();
        let config = SqliteConfig {
            readers: 1,
            read_queue: 2,
            read_timeout: Duration::from_millis(20),
            ..SqliteConfig::new(path)
        };
        SqliteStore::open(config, Arc::new(RecordingNotifier::default())).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_read_that_finds_no_place_in_line_is_refused_and_the_next_ones_succeed() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir).await;
        let (started, first_runs) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let database = Arc::clone(&store.database);
        let first = tokio::spawn(async move {
            let hold = move |_: &mut SqliteConnection| {
                started.send(()).unwrap();
                Ok(released.recv().is_ok())
            };
            database.read(hold).await
        });
        tokio::task::spawn_blocking(move || first_runs.recv().unwrap()).await.unwrap();
        let mut second = std::pin::pin!(store.database.read(|_| Ok(())));
        // Polled once, so that it takes the second place in line.
        assert!(tokio::time::timeout(Duration::ZERO, &mut second).await.is_err());
        let refused = store.database.read(|_| Ok(())).await;
        assert!(matches!(refused, Err(ChatError::Unavailable { .. })), "{refused:?}");
        release.send(()).unwrap();
        assert!(first.await.unwrap().unwrap());
        second.await.unwrap();
        store.database.read(|_| Ok(())).await.unwrap();
        store.close().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_read_that_panics_fails_alone() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir).await;
        let failed = store.database.read::<(), _>(|_| panic!("a seeded fault")).await;
        assert!(matches!(failed, Err(ChatError::Internal(_))), "{failed:?}");
        store.database.read(|_| Ok(())).await.unwrap();
        store.close().await;
    }
}
