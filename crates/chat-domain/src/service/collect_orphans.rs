//! Remove stored files that no message refers to: what is left of uploads whose sender went away or whose node died.
//!
//! A file is marked when no message refers to it although it is old, and removed when that is still so days later. Every
//! step that could remove what a person stored is guarded by itself: who may collect ([`StoreOwner`]), how much at once
//! ([`Removal`]), and that no message can refer to what is removed ([`OrphanRegistry`]).

use std::sync::Arc;
use std::time::Duration;

use super::AttachmentCheck;
use crate::error::{ChatError, Result};
use crate::model::{AttachmentId, Generation, Generations, NotOwner, StoreOwner, Timestamp, UnsentUpload};
use crate::ports::{
    AttachmentStore, Clock, IdGenerator, MessageRepository, OrphanRegistry, OrphanRound, StoreOwnership, UploadRegistry,
};

/// How many files are looked at together.
const BATCH: usize = 500;
/// A round that would remove more than this many files …
const ALWAYS_REMOVED: usize = 100;
/// … and more than one in so many of all old ones is not what uploads leave behind: something is wrong.
const ONE_IN: usize = 20;
/// How long a condemned file is remembered. Longer than any upload takes, since a message is stored after its files.
const REMEMBERED: Duration = Duration::from_hours(30 * 24);

/// Two of the three waits of collecting. The third, between rounds, belongs to the caller that starts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrphanWaits {
    /// How old a file is at least when it is marked.
    pub mark_after: Duration,
    /// How long it stays marked before it is removed.
    pub remove_after: Duration,
}

/// What a round may remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Nothing.
    Never,
    /// Marked files whose wait is over, unless they are more than 100 and more than 5 % of all old files.
    OfFew,
    /// Marked files whose wait is over, however many.
    OfAll,
}

/// What a round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Files that are old enough to be marked.
    pub examined: usize,
    /// Files marked in this round.
    pub marked: usize,
    /// Files removed in this round.
    pub removed: usize,
    /// The wait of at least so many files is over, and that is more than the round may remove.
    pub refused: Option<usize>,
}

/// How a round ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Round {
    /// Another node is in a round.
    Busy,
    /// This database must not collect these files. Nothing was marked or removed.
    NotOwner(NotOwner),
    /// It did its work.
    Done(Collected),
}

/// Collects orphans.
#[derive(Clone)]
pub struct OrphanCollector {
    /// The files.
    pub attachments: Arc<dyn AttachmentStore>,
    /// Who collects them.
    pub ownership: Arc<dyn StoreOwnership>,
    /// The messages that refer to them.
    pub messages: Arc<dyn MessageRepository>,
    /// What is known of orphans.
    pub registry: Arc<dyn OrphanRegistry>,
    /// The files that wait to be sent.
    pub uploads: Arc<dyn UploadRegistry>,
    /// How old files and marks are.
    pub clock: Arc<dyn Clock>,
    /// Names rounds.
    pub ids: Arc<dyn IdGenerator>,
    /// What the operator decided.
    pub waits: OrphanWaits,
}

impl OrphanCollector {
    /// Finds out whether this database may collect these files, and begins a generation. Marks and removes nothing.
    pub async fn claim(&self) -> Result<Round> {
        let Some(mut round) = self.registry.begin_round().await? else { return Ok(Round::Busy) };
        let claimed = self.begin_generation(round.as_mut()).await?;
        Ok(claimed.map_or_else(Round::NotOwner, |()| Round::Done(Collected::default())))
    }

    /// A round: marks, and removes what it may.
    pub async fn collect(&self, removal: Removal) -> Result<Round> {
        self.expire_uploads().await?;
        let Some(mut round) = self.registry.begin_round().await? else { return Ok(Round::Busy) };
        if let Err(reason) = self.begin_generation(round.as_mut()).await? {
            return Ok(Round::NotOwner(reason));
        }
        let now = self.clock.now();
        let mut collected = Collected::default();
        self.mark(round.as_mut(), removal, now, &mut collected).await?;
        if removal != Removal::Never {
            self.remove(round.as_mut(), removal, now, &mut collected).await?;
            self.forget(round.as_mut(), now).await?;
        }
        Ok(Round::Done(collected))
    }

    /// From now on, this database collects these files. All marks are removed, so that no file is removed before the
    /// whole wait has passed again. `false` when another node is in a round.
    pub async fn adopt(&self) -> Result<bool> {
        let Some(mut round) = self.registry.begin_round().await? else { return Ok(false) };
        round.unmark_all().await?;
        let next = Generation::new(self.ids.next_id());
        round.announce(next).await?;
        let owner = StoreOwner { database: round.database().await?, generation: next, is_contested: false };
        if !self.ownership.replace(self.ownership.owner().await?, owner).await? {
            return Err(ChatError::unavailable("attachments: another server has written beside them at this moment"));
        }
        round.confirm(next).await?;
        Ok(true)
    }

    /// Compares the generation of the database with that beside the files, and begins the next one in both.
    async fn begin_generation(&self, round: &mut dyn OrphanRound) -> Result<Result<(), NotOwner>> {
        let this = round.database().await?;
        let mut known = round.generations().await?;
        let beside = self.ownership.owner().await?;
        if let Err(reason) = StoreOwner::check(&known, &this, beside.as_ref()) {
            if let (NotOwner::OtherGeneration { .. }, Some(other)) = (&reason, beside) {
                // Unless that one is ours: of a node that took the round over while this one stood still.
                ensure_alone(round, known).await?;
                // The other one may be the copy. It is to stop too, until the operator has decided.
                self.ownership.replace(Some(other.clone()), other.contested()).await?;
            }
            return Ok(Err(reason));
        }
        if let Some(beside) = &beside
            && known.current != Some(beside.generation)
        {
            // A round was cut off after it was written beside the files. Announcing the next one forgets its name.
            round.confirm(beside.generation).await?;
            known.current = Some(beside.generation);
        }
        let next = Generation::new(self.ids.next_id());
        round.announce(next).await?;
        let announced = Generations { current: known.current, next: Some(next) };
        let owner = StoreOwner { database: this.clone(), generation: next, is_contested: false };
        ensure_alone(round, announced).await?;
        if !self.ownership.replace(beside, owner).await? {
            ensure_alone(round, announced).await?;
            let found = self.ownership.owner().await?;
            return Ok(Err(
                found.map_or(NotOwner::OtherFiles, |found| NotOwner::OtherGeneration { found: found.generation })
            ));
        }
        round.confirm(next).await?;
        Ok(Ok(()))
    }

    /// A check of the same files.
    pub fn check(&self) -> AttachmentCheck {
        AttachmentCheck {
            attachments: Arc::clone(&self.attachments),
            messages: Arc::clone(&self.messages),
            registry: Arc::clone(&self.registry),
            clock: Arc::clone(&self.clock),
            mark_after: self.waits.mark_after,
        }
    }

    /// Forgets uploads that were not sent in time. Their files are orphans from then on, like those of uploads that broke
    /// off: that no message of *this* database refers to them does not mean that there is none, since it may be a copy.
    /// Nor does it depend on that, so it is done whichever database may collect.
    async fn expire_uploads(&self) -> Result<()> {
        let before = self.clock.now().minus(UnsentUpload::LIFETIME);
        while self.uploads.remove_expired(before, BATCH).await? == BATCH {}
        Ok(())
    }

    async fn mark(
        &self,
        round: &mut dyn OrphanRound,
        removal: Removal,
        now: Timestamp,
        collected: &mut Collected,
    ) -> Result<()> {
        let before = now.minus(self.waits.mark_after);
        let mut after = None;
        loop {
            let batch = self.attachments.stored_before(before, after, BATCH).await?;
            let Some(last) = batch.last().copied() else { return Ok(()) };
            after = Some(last);
            collected.examined += batch.len();
            // What any side of the database knows is known. Only what one does not know is asked of the side that writes.
            let unknown = self.messages.unknown_attachments(batch).await?;
            if unknown.is_empty() {
                continue;
            }
            let marking = round.mark(unknown, now).await?;
            collected.marked += marking.marked;
            if removal != Removal::Never {
                self.delete(&marking.condemned).await?;
            }
        }
    }

    async fn remove(
        &self,
        round: &mut dyn OrphanRound,
        removal: Removal,
        now: Timestamp,
        collected: &mut Collected,
    ) -> Result<()> {
        let before = now.minus(self.waits.remove_after);
        if removal != Removal::OfAll {
            let allowed = ALWAYS_REMOVED.max(collected.examined / ONE_IN);
            let due = count_due(round, before, allowed).await?;
            if due > allowed {
                collected.refused = Some(due);
                return Ok(());
            }
        }
        let mut after = None;
        loop {
            let due = round.due(before, after, BATCH).await?;
            let Some(last) = due.last().copied() else { return Ok(()) };
            // Each batch once: what cannot be condemned at the moment is left to the next round.
            after = Some(last);
            let condemned = round.condemn(due.into_iter().map(|mark| mark.id).collect(), now).await?;
            self.delete(&condemned).await?;
            collected.removed += condemned.len();
        }
    }

    /// Forgets files that were removed long ago, and makes sure that they were.
    async fn forget(&self, round: &mut dyn OrphanRound, now: Timestamp) -> Result<()> {
        loop {
            let condemned = round.condemned(now.minus(REMEMBERED), BATCH).await?;
            if condemned.is_empty() {
                return Ok(());
            }
            self.delete(&condemned).await?;
            round.forget(condemned).await?;
        }
    }

    async fn delete(&self, condemned: &[AttachmentId]) -> Result<()> {
        for id in condemned {
            self.attachments.delete(*id).await?;
        }
        Ok(())
    }
}

/// That no other node of this database has begun a round since: this one may have stood still for so long that its
/// connection was given up. What is found beside the files would be another database's by mistake.
async fn ensure_alone(round: &mut dyn OrphanRound, expected: Generations) -> Result<()> {
    if round.generations().await? == expected {
        return Ok(());
    }
    Err(ChatError::unavailable("attachments: another server has begun a round of collecting meanwhile"))
}

/// How many files are due, counted until they are more than `allowed`.
async fn count_due(round: &mut dyn OrphanRound, before: Timestamp, allowed: usize) -> Result<usize> {
    let (mut count, mut after) = (0, None);
    while count <= allowed {
        let due = round.due(before, after, BATCH).await?;
        let Some(last) = due.last().copied() else { break };
        count += due.len();
        after = Some(last);
    }
    Ok(count)
}
