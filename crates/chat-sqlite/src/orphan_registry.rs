//! `OrphanRegistry`: what is known of stored files that no message refers to. The statements are in `collect_orphans`.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::{AttachmentId, DatabaseInstance, Generation, Generations, OrphanMark, Timestamp};
use chat_domain::ports::{Marking, OrphanRegistry, OrphanRound};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::database::Database;
use crate::error::Failure;
use crate::{collect_orphans, instance};

/// Remembers orphans.
pub struct SqliteOrphanRegistry {
    pub(crate) database: Arc<Database>,
    pub(crate) path: PathBuf,
    /// Held by a round. A database belongs to one process, so this one knows of all rounds.
    pub(crate) round: Arc<Mutex<()>>,
}

struct SqliteRound {
    database: Arc<Database>,
    path: PathBuf,
    _alone: OwnedMutexGuard<()>,
}

impl SqliteRound {
    async fn write<R, F>(&self, work: F) -> Result<R>
    where
        R: Send + 'static,
        F: FnMut(&mut diesel::SqliteConnection) -> Result<R, Failure> + Send + 'static,
    {
        self.database.writer.run(work).await
    }
}

#[async_trait]
impl OrphanRegistry for SqliteOrphanRegistry {
    async fn begin_round(&self) -> Result<Option<Box<dyn OrphanRound>>> {
        let Ok(alone) = Arc::clone(&self.round).try_lock_owned() else { return Ok(None) };
        let (database, path) = (Arc::clone(&self.database), self.path.clone());
        Ok(Some(Box::new(SqliteRound { database, path, _alone: alone })))
    }

    async fn marked(&self, ids: Vec<AttachmentId>) -> Result<Vec<OrphanMark>> {
        self.database.read_snapshot(move |connection| Ok(collect_orphans::marked(connection, &ids)?)).await
    }

    async fn referenced(&self, after: Option<AttachmentId>, limit: usize) -> Result<Vec<AttachmentId>> {
        self.database.read(move |connection| Ok(collect_orphans::referenced(connection, after, limit)?)).await
    }
}

#[async_trait]
impl OrphanRound for SqliteRound {
    async fn database(&mut self) -> Result<DatabaseInstance> {
        instance::of_file(&self.path)
    }

    async fn generations(&mut self) -> Result<Generations> {
        self.write(|connection| Ok(collect_orphans::generations(connection)?)).await
    }

    async fn announce(&mut self, next: Generation) -> Result<()> {
        self.write(move |connection| Ok(collect_orphans::announce(connection, next)?)).await
    }

    async fn confirm(&mut self, current: Generation) -> Result<()> {
        self.write(move |connection| Ok(collect_orphans::confirm(connection, current)?)).await
    }

    async fn mark(&mut self, ids: Vec<AttachmentId>, at: Timestamp) -> Result<Marking> {
        self.write(move |connection| Ok(collect_orphans::mark(connection, &ids, at)?)).await
    }

    async fn due(&mut self, before: Timestamp, after: Option<OrphanMark>, limit: usize) -> Result<Vec<OrphanMark>> {
        self.write(move |connection| Ok(collect_orphans::due(connection, before, after, limit)?)).await
    }

    async fn condemn(&mut self, ids: Vec<AttachmentId>, at: Timestamp) -> Result<Vec<AttachmentId>> {
        self.write(move |connection| Ok(collect_orphans::condemn(connection, &ids, at)?)).await
    }

    async fn condemned(&mut self, before: Timestamp, limit: usize) -> Result<Vec<AttachmentId>> {
        self.write(move |connection| Ok(collect_orphans::condemned(connection, before, limit)?)).await
    }

    async fn forget(&mut self, ids: Vec<AttachmentId>) -> Result<()> {
        self.write(move |connection| Ok(collect_orphans::forget(connection, &ids)?)).await
    }

    async fn unmark_all(&mut self) -> Result<()> {
        while self.write(|connection| Ok(collect_orphans::unmark_some(connection)?)).await? {}
        Ok(())
    }
}
