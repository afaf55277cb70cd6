//! Remove stored bytes that no message refers to.

use std::time::Duration;

use super::ChatService;
use crate::error::Result;

/// What a round of collecting found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Objects looked at.
    pub examined: usize,
    /// Objects removed.
    pub removed: usize,
}

const BATCH: usize = 500;

impl ChatService {
    /// Removes objects that are older than `grace` and belong to no message: what is left of uploads whose sender went
    /// away or whose node died. `grace` MUST be longer than any upload takes, since a message is stored after its files.
    pub async fn collect_orphans(&self, grace: Duration) -> Result<Collected> {
        let before = self.ports.clock.now().minus(grace);
        let mut collected = Collected::default();
        let mut after = None;
        loop {
            let batch = self.ports.attachments.stored_before(before, after, BATCH).await?;
            let Some(last) = batch.last().copied() else { return Ok(collected) };
            after = Some(last);
            collected.examined += batch.len();
            for orphan in self.ports.messages.unknown_attachments(batch).await? {
                self.ports.attachments.delete(orphan).await?;
                collected.removed += 1;
            }
        }
    }
}
