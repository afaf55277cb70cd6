//! The suite of the orphan registry notices registries that are broken.

use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::{AttachmentId, DatabaseInstance, Generation, Generations, OrphanMark, Timestamp};
use chat_domain::ports::{Marking, OrphanRegistry, OrphanRound};
use chat_testkit::contract::{StoreUnderTest, orphan_registry};

use crate::support::{make_store, notices};

/// A registry with a fault in most of its methods, each told at its place.
struct Careless(Arc<dyn OrphanRegistry>);

struct CarelessRound(Box<dyn OrphanRound>);

#[async_trait]
impl OrphanRegistry for Careless {
    async fn begin_round(&self) -> Result<Option<Box<dyn OrphanRound>>> {
        let round = self.0.begin_round().await?;
        Ok(round.map(|round| Box::new(CarelessRound(round)) as Box<dyn OrphanRound>))
    }

    async fn marked(&self, ids: Vec<AttachmentId>) -> Result<Vec<OrphanMark>> {
        self.0.marked(ids).await
    }

    /// Leaves out the first one.
    async fn referenced(&self, after: Option<AttachmentId>, limit: usize) -> Result<Vec<AttachmentId>> {
        Ok(self.0.referenced(after, limit).await?.into_iter().skip(1).collect())
    }
}

#[async_trait]
impl OrphanRound for CarelessRound {
    async fn database(&mut self) -> Result<DatabaseInstance> {
        self.0.database().await
    }

    async fn generations(&mut self) -> Result<Generations> {
        self.0.generations().await
    }

    /// Takes an announced round for a round that was seen.
    async fn announce(&mut self, next: Generation) -> Result<()> {
        self.0.confirm(next).await
    }

    async fn confirm(&mut self, current: Generation) -> Result<()> {
        self.0.confirm(current).await
    }

    /// Keeps quiet about condemned files.
    async fn mark(&mut self, ids: Vec<AttachmentId>, at: Timestamp) -> Result<Marking> {
        Ok(Marking { condemned: Vec::new(), ..self.0.mark(ids, at).await? })
    }

    /// Takes young marks too.
    async fn due(&mut self, _: Timestamp, after: Option<OrphanMark>, limit: usize) -> Result<Vec<OrphanMark>> {
        self.0.due(Timestamp::from_unix_ms(i64::MAX), after, limit).await
    }

    /// Believes every database.
    async fn condemn(&mut self, ids: Vec<AttachmentId>, at: Timestamp) -> Result<Vec<AttachmentId>> {
        self.0.condemn(ids.clone(), at).await?;
        Ok(ids)
    }

    async fn condemned(&mut self, before: Timestamp, limit: usize) -> Result<Vec<AttachmentId>> {
        self.0.condemned(before, limit).await
    }

    /// Remembers all of them.
    async fn forget(&mut self, _: Vec<AttachmentId>) -> Result<()> {
        Ok(())
    }

    /// Leaves the marks.
    async fn unmark_all(&mut self) -> Result<()> {
        Ok(())
    }
}

async fn careless_registry() -> StoreUnderTest {
    let store = make_store().await;
    StoreUnderTest { orphans: Arc::new(Careless(store.orphans.clone())), ..store }
}

notices! { a_careless_registry_of_orphans_is_noticed: careless_registry(), unlike make_store =>
    orphan_registry::a_generation_is_announced_and_confirmed,
    orphan_registry::due_files_come_in_order_and_in_batches,
    orphan_registry::condemned_files_are_those_without_a_message,
    orphan_registry::a_condemned_file_stays_condemned_until_it_is_forgotten,
    orphan_registry::unmarking_keeps_condemned_files,
    orphan_registry::referenced_files_come_in_order_and_in_batches,
}
