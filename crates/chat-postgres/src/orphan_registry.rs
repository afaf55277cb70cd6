//! `OrphanRegistry`: what is known of stored files that no message refers to. The statements are in `collect_orphans`.
//!
//! A round has a connection of its own, to the server that takes writes, and holds a lock of the session there. When the
//! connection is lost, so are the lock and the round.

use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::model::{AttachmentId, DatabaseInstance, Generation, Generations, OrphanMark, Timestamp};
use chat_domain::ports::{Marking, OrphanRegistry, OrphanRound};
use chat_domain::{ChatError, Result};
use diesel::prelude::*;
use diesel::sql_types::Bool;
use tokio::runtime::Handle;

use crate::connection::PgTarget;
use crate::database::Database;
use crate::error::Failure;
use crate::{collect_orphans, instance};

/// Held by the session of a round; see `collect_orphans` for the numbers.
const ONE_ROUND: &str = "SELECT pg_try_advisory_lock(1667785076, -2) AS is_ours";

/// Remembers orphans.
pub struct PgOrphanRegistry {
    pub(crate) database: Arc<Database>,
    pub(crate) target: PgTarget,
}

struct PgRound {
    runtime: Handle,
    /// `None` while it is used, and once it has been lost.
    connection: Option<PgConnection>,
}

#[derive(QueryableByName)]
struct Lock {
    #[diesel(sql_type = Bool)]
    is_ours: bool,
}

impl PgRound {
    async fn run<R, F>(&mut self, mut work: F) -> Result<R>
    where
        R: Send + 'static,
        F: FnMut(&mut PgConnection) -> Result<R, Failure> + Send + 'static,
    {
        let lost = || ChatError::unavailable("database: the connection of a round of collecting is lost");
        let mut connection = self.connection.take().ok_or_else(lost)?;
        let running = self.runtime.spawn_blocking(move || {
            let outcome = work(&mut connection);
            (connection, outcome)
        });
        let (connection, outcome) = running.await.map_err(|_ended| lost())?;
        // What has failed once is not gone on with: the lock may be another node's by now.
        if outcome.is_ok() {
            self.connection = Some(connection);
        }
        outcome.map_err(ChatError::from)
    }
}

#[async_trait]
impl OrphanRegistry for PgOrphanRegistry {
    async fn begin_round(&self) -> Result<Option<Box<dyn OrphanRound>>> {
        let (target, runtime) = (self.target.clone(), self.database.runtime.clone());
        let connecting = runtime.spawn_blocking(move || {
            let mut connection = target.connect().map_err(|error| Failure::NotConnected(error.to_string()))?;
            let lock: Lock = diesel::sql_query(ONE_ROUND).get_result(&mut connection)?;
            Ok(lock.is_ours.then_some(connection))
        });
        let connected: Result<Option<PgConnection>, Failure> =
            connecting.await.map_err(|_ended| ChatError::unavailable("database: shutting down"))?;
        let round = |connection| Box::new(PgRound { runtime, connection: Some(connection) }) as Box<dyn OrphanRound>;
        Ok(connected?.map(round))
    }

    async fn marked(&self, ids: Vec<AttachmentId>) -> Result<Vec<OrphanMark>> {
        self.database.read(move |connection| Ok(collect_orphans::marked(connection, &ids)?)).await
    }

    async fn referenced(&self, after: Option<AttachmentId>, limit: usize) -> Result<Vec<AttachmentId>> {
        self.database.read(move |connection| Ok(collect_orphans::referenced(connection, after, limit)?)).await
    }
}

#[async_trait]
impl OrphanRound for PgRound {
    async fn database(&mut self) -> Result<DatabaseInstance> {
        self.run(instance::of_database).await
    }

    async fn generations(&mut self) -> Result<Generations> {
        self.run(|connection| Ok(collect_orphans::generations(connection)?)).await
    }

    async fn announce(&mut self, next: Generation) -> Result<()> {
        self.run(move |connection| Ok(collect_orphans::announce(connection, next)?)).await
    }

    async fn confirm(&mut self, current: Generation) -> Result<()> {
        self.run(move |connection| Ok(collect_orphans::confirm(connection, current)?)).await
    }

    async fn mark(&mut self, ids: Vec<AttachmentId>, at: Timestamp) -> Result<Marking> {
        self.run(move |connection| Ok(collect_orphans::mark(connection, &ids, at)?)).await
    }

    async fn due(&mut self, before: Timestamp, after: Option<OrphanMark>, limit: usize) -> Result<Vec<OrphanMark>> {
        self.run(move |connection| Ok(collect_orphans::due(connection, before, after, limit)?)).await
    }

    async fn condemn(&mut self, ids: Vec<AttachmentId>, at: Timestamp) -> Result<Vec<AttachmentId>> {
        self.run(move |connection| Ok(collect_orphans::condemn(connection, &ids, at)?)).await
    }

    async fn condemned(&mut self, before: Timestamp, limit: usize) -> Result<Vec<AttachmentId>> {
        self.run(move |connection| Ok(collect_orphans::condemned(connection, before, limit)?)).await
    }

    async fn forget(&mut self, ids: Vec<AttachmentId>) -> Result<()> {
        self.run(move |connection| Ok(collect_orphans::forget(connection, &ids)?)).await
    }

    async fn unmark_all(&mut self) -> Result<()> {
        while self.run(|connection| Ok(collect_orphans::unmark_some(connection)?)).await? {}
        Ok(())
    }
}
