//! A migrated store in a directory of its own.

use std::path::PathBuf;
use std::sync::Arc;

use chat_domain::ports::Notifier;
use chat_sqlite::{SqliteConfig, SqliteStore, migrate};
use chat_testkit::RecordingNotifier;
use tempfile::TempDir;

use crate::recorder;

/// A directory for one database; removed when it is dropped.
pub(crate) struct Place {
    directory: TempDir,
}

impl Place {
    /// An empty directory.
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    /// A directory with a migrated database.
    pub(crate) fn migrated() -> Self {
        let place = Self::new();
        migrate::up(place.path()).unwrap();
        place
    }

    /// The database file. Its name needs every kind of escaping.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("chat store?50%#é.db")
    }

    /// Opens the store with the defaults and a notifier that remembers.
    pub(crate) async fn open(&self) -> SqliteStore {
        self.open_with(SqliteConfig::new(self.path()), Arc::new(RecordingNotifier::default())).await
    }

    /// Opens the store.
    pub(crate) async fn open_with(&self, config: SqliteConfig, notifier: Arc<dyn Notifier>) -> SqliteStore {
        recorder::install();
        SqliteStore::open(config, notifier).await.unwrap()
    }
}
