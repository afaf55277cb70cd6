//! The way from the repositories to SQLite: reads through a pool, writes through the writer thread.

use std::sync::Arc;

use chat_domain::Result;
use chat_sql::{PeopleMemory, Reads, SessionWriter, WriteQueue};
use diesel::prelude::*;
use diesel::r2d2::ConnectionManager;
use tokio::runtime::Handle;

use crate::error::Failure;
use crate::session_store::SqliteSessionStore;

/// An open database.
pub(crate) struct Database {
    pub(crate) reads: Reads<ConnectionManager<SqliteConnection>>,
    /// Where the store was opened.
    pub(crate) runtime: Handle,
    /// What the writer and readers remember of people.
    pub(crate) people: Arc<PeopleMemory>,
    pub(crate) writer: WriteQueue<SessionWriter<SqliteSessionStore>>,
}

impl Database {
    /// Runs one statement that reads; see [`Reads::run`].
    pub(crate) async fn read<R, F>(&self, work: F) -> Result<R>
    where
        R: Send + 'static,
        F: FnMut(&mut SqliteConnection) -> Result<R, Failure> + Send + 'static,
    {
        self.reads.run(work).await
    }

    /// Runs several statements that read, all of which see the database at one moment.
    pub(crate) async fn read_snapshot<R, F>(&self, mut work: F) -> Result<R>
    where
        R: Send + 'static,
        F: FnMut(&mut SqliteConnection) -> Result<R, Failure> + Send + 'static,
    {
        self.read(move |connection| connection.transaction(&mut work)).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc;
    use std::time::Duration;

    use chat_domain::ChatError;
    use chat_testkit::RecordingNotifier;

    use super::*;
    use crate::{SqliteConfig, SqliteStore, migrate};

    async fn store(dir: &tempfile::TempDir, read_timeout: Duration) -> SqliteStore {
        let path = dir.path().join("chat.db");
        migrate::up(&path).unwrap();
        let config = SqliteConfig { readers: 1, read_queue: 2, read_timeout, ..SqliteConfig::new(path) };
        SqliteStore::open(config, Arc::new(RecordingNotifier::default())).await.unwrap()
    }

    fn assert_unavailable<T: std::fmt::Debug>(outcome: &Result<T>) {
        assert!(matches!(outcome, Err(ChatError::Unavailable { .. })), "{outcome:?}");
    }

    #[tokio::test]
    async fn behind_a_read_that_hangs_others_are_refused_in_time_and_not_done_later() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir, Duration::from_millis(50)).await;
        let (release, released) = mpsc::channel::<()>();
        assert_unavailable(&store.database.read(move |_| Ok(released.recv().is_ok())).await);
        let done = Arc::new(AtomicBool::new(false));
        let note = Arc::clone(&done);
        let leave_a_note = move |_: &mut SqliteConnection| {
            note.store(true, Ordering::SeqCst);
            Ok(())
        };
        assert_unavailable(&store.database.read(leave_a_note).await);
        release.send(()).unwrap();
        store.database.read(|_| Ok(())).await.unwrap();
        assert!(!done.load(Ordering::SeqCst), "no caller waited for it");
        store.close().await;
    }

    #[tokio::test]
    async fn a_read_that_panics_fails_alone() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir, Duration::from_secs(5)).await;
        let failed = store.database.read::<(), _>(|_| panic!("a seeded fault")).await;
        assert!(matches!(failed, Err(ChatError::Internal(_))), "{failed:?}");
        store.database.read(|_| Ok(())).await.unwrap();
        store.close().await;
    }
}
