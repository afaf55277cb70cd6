//! What is known of orphans, in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::{AttachmentId, DatabaseInstance, Generation, Generations, OrphanMark, Timestamp};
use chat_domain::ports::{Marking, OrphanRegistry, OrphanRound};
use tokio::sync::OwnedMutexGuard;

use super::{MemoryState, MemoryStore};

/// What is known of orphans.
#[derive(Default)]
pub(super) struct Orphans {
    generations: Generations,
    files: BTreeMap<AttachmentId, Orphan>,
}

struct Orphan {
    marked_at: Timestamp,
    condemned_at: Option<Timestamp>,
}

impl Orphan {
    fn mark(&self, id: AttachmentId) -> Option<OrphanMark> {
        self.condemned_at.is_none().then_some(OrphanMark { marked_at: self.marked_at, id })
    }
}

impl Orphans {
    /// Whether a marked file is condemned; `None` when it has no mark.
    pub(super) fn is_condemned(&self, file: AttachmentId) -> Option<bool> {
        self.files.get(&file).map(|orphan| orphan.condemned_at.is_some())
    }

    /// Takes the mark of a file away.
    pub(super) fn unmark(&mut self, file: AttachmentId) {
        self.files.remove(&file);
    }
}

struct MemoryRound {
    store: Arc<MemoryStore>,
    _alone: OwnedMutexGuard<()>,
}

impl MemoryRound {
    fn with<R>(&self, work: impl FnOnce(&mut MemoryState) -> R) -> R {
        work(&mut self.store.lock())
    }
}

#[async_trait]
impl OrphanRegistry for MemoryStore {
    async fn begin_round(&self) -> Result<Option<Box<dyn OrphanRound>>> {
        let Ok(alone) = Arc::clone(&self.round).try_lock_owned() else { return Ok(None) };
        let store = self.this.upgrade().expect("the store is in use");
        Ok(Some(Box::new(MemoryRound { store, _alone: alone })))
    }

    async fn marked(&self, ids: Vec<AttachmentId>) -> Result<Vec<OrphanMark>> {
        let state = self.lock();
        Ok(ids.into_iter().filter_map(|id| state.orphans.files.get(&id)?.mark(id)).collect())
    }

    async fn referenced(&self, after: Option<AttachmentId>, limit: usize) -> Result<Vec<AttachmentId>> {
        let state = self.lock();
        let known: BTreeSet<_> = state.attachments.keys().chain(state.uploads.keys()).collect();
        let start = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        Ok(known.range::<AttachmentId, _>((start, Bound::Unbounded)).map(|id| **id).take(limit).collect())
    }
}

#[async_trait]
impl OrphanRound for MemoryRound {
    async fn database(&mut self) -> Result<DatabaseInstance> {
        let name = format!("memory:{:p}", Arc::as_ptr(&self.store));
        Ok(DatabaseInstance::parse(&name).expect("an address is a valid name"))
    }

    async fn generations(&mut self) -> Result<Generations> {
        Ok(self.with(|state| state.orphans.generations))
    }

    async fn announce(&mut self, next: Generation) -> Result<()> {
        self.with(|state| state.orphans.generations.next = Some(next));
        Ok(())
    }

    async fn confirm(&mut self, current: Generation) -> Result<()> {
        self.with(|state| state.orphans.generations = Generations { current: Some(current), next: None });
        Ok(())
    }

    async fn mark(&mut self, ids: Vec<AttachmentId>, at: Timestamp) -> Result<Marking> {
        Ok(self.with(|state| {
            let mut marking = Marking::default();
            for id in ids {
                if state.knows_file(id) {
                    continue;
                }
                match state.orphans.files.get(&id) {
                    Some(orphan) if orphan.condemned_at.is_some() => marking.condemned.push(id),
                    Some(_) => {}
                    None => {
                        state.orphans.files.insert(id, Orphan { marked_at: at, condemned_at: None });
                        marking.marked += 1;
                    }
                }
            }
            marking
        }))
    }

    async fn due(&mut self, before: Timestamp, after: Option<OrphanMark>, limit: usize) -> Result<Vec<OrphanMark>> {
        Ok(self.with(|state| {
            let marks = state.orphans.files.iter().filter_map(|(id, orphan)| orphan.mark(*id));
            let mut due: Vec<OrphanMark> =
                marks.filter(|mark| mark.marked_at < before && after.is_none_or(|after| *mark > after)).collect();
            due.sort_unstable();
            due.truncate(limit);
            due
        }))
    }

    async fn condemn(&mut self, ids: Vec<AttachmentId>, at: Timestamp) -> Result<Vec<AttachmentId>> {
        Ok(self.with(|state| {
            let mut condemned = Vec::new();
            for id in ids {
                if state.knows_file(id) {
                    state.orphans.files.remove(&id);
                } else if let Some(orphan) = state.orphans.files.get_mut(&id)
                    && orphan.condemned_at.is_none()
                {
                    orphan.condemned_at = Some(at);
                    condemned.push(id);
                }
            }
            condemned
        }))
    }

    async fn condemned(&mut self, before: Timestamp, limit: usize) -> Result<Vec<AttachmentId>> {
        Ok(self.with(|state| {
            let condemned =
                state.orphans.files.iter().filter(|(_, orphan)| orphan.condemned_at.is_some_and(|at| at < before));
            condemned.map(|(id, _)| *id).take(limit).collect()
        }))
    }

    async fn forget(&mut self, ids: Vec<AttachmentId>) -> Result<()> {
        self.with(|state| {
            state.orphans.files.retain(|id, orphan| orphan.condemned_at.is_none() || !ids.contains(id));
        });
        Ok(())
    }

    async fn unmark_all(&mut self) -> Result<()> {
        self.with(|state| state.orphans.files.retain(|_, orphan| orphan.condemned_at.is_some()));
        Ok(())
    }
}
