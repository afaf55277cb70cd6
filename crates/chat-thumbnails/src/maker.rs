//! When thumbnails are made: once for all that ask at the same time, and few at a time.
//!
//! Making one is a task of its own, so that it is made and saved although its caller has gone. It waits for a slot, reads
//! the picture, and gives it to a thread. The slot is free again when the thread has ended, and not before: a decoder
//! cannot be stopped from outside.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use chat_domain::model::{
    Attachment, AttachmentId, Color, MAX_THUMBNAIL_SOURCE_BYTES, StoredObject, ThumbnailOutcome, ThumbnailSize, UserId,
};
use chat_domain::ports::{AttachmentStore, ThumbnailMaker, ThumbnailStore};
use chat_domain::{ChatError, Result};
use metrics::{Counter, counter};
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::decoding::Bounds;
use crate::failure::ThumbnailFailure;
use crate::log_interval::LogInterval;
use crate::picture::{ThumbnailSet, thumbnails};
use crate::slots::{Slot, Slots};
use crate::worker;

#[cfg(test)]
mod tests;

/// The values of the label `result`.
const RESULTS: [&str; 7] = ["made", "impossible", "busy", "failed", "panicked", "unsaved", "colorless"];

/// How many pictures are decoded at the same time.
const SLOTS: usize = 2;

/// How many pictures are decoded or wait for it. More are refused at once.
const MOST_JOBS: usize = 64;

/// How many of them one person has begun.
const MOST_JOBS_OF_A_PERSON: usize = 16;

/// How long the callers of a thumbnail wait for each step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThumbnailTimeouts {
    /// Until a slot is free.
    pub slot: Duration,
    /// Until all bytes of the picture are read.
    pub reading: Duration,
    /// Until it is made. On an idle machine it takes 2 s at the most.
    pub making: Duration,
    /// Until a picture that is being stored has its colour, with the waiting for a slot and the reading. Its sender waits
    /// for it.
    pub color: Duration,
}

impl Default for ThumbnailTimeouts {
    fn default() -> Self {
        Self {
            slot: Duration::from_secs(5),
            reading: Duration::from_secs(10),
            making: Duration::from_secs(15),
            color: Duration::from_millis(500),
        }
    }
}

/// Makes thumbnails with the crate `image`.
#[derive(Clone)]
pub struct ImageThumbnailMaker(Arc<ThumbnailJobs>);

/// The jobs that run, each of which makes the thumbnails of one object, and what they need.
struct ThumbnailJobs {
    runtime: Handle,
    files: Arc<dyn AttachmentStore>,
    thumbnails: Arc<dyn ThumbnailStore>,
    patience: ThumbnailTimeouts,
    slots: Slots,
    /// By the object.
    running: Mutex<HashMap<AttachmentId, RunningJob>>,
    decode: DecodeFn,
    damage_logged: LogInterval,
    panic_logged: LogInterval,
}

/// Makes the thumbnails of the bytes of a picture, within bounds.
type DecodeFn = fn(&[u8], &Bounds) -> Option<ThumbnailSet>;

/// A job and the person who began it. It counts against that person's places until it ends, also when only others wait for
/// it.
struct RunningJob {
    job: ThumbnailJob,
    begun_by: UserId,
}

/// For whom a job begins.
enum JobStart {
    /// For a request of this person. It waits for a slot; meanwhile another job may save the thumbnails.
    Requested(UserId),
    /// For the sender of a picture that was stored a moment ago, so that nothing can be saved of it. It has this slot.
    Stored(Slot),
}

/// The channel on which the callers of a job see how far it is.
type ThumbnailJob = watch::Receiver<ThumbnailJobState>;

/// How far a job is.
#[derive(Clone, Debug)]
enum ThumbnailJobState {
    Begun,
    /// The thumbnails are made and not saved yet.
    Made(Option<ThumbnailSet>),
    Ended(Reply),
}

/// What all callers of a job get. `None` when no thumbnail can be made.
type Reply = Result<Option<ThumbnailSet>, ThumbnailFailure>;

impl ImageThumbnailMaker {
    /// A maker of thumbnails of the objects of `files`, which are kept in `thumbnails`. Its tasks run on `runtime`.
    pub fn new(runtime: Handle, files: Arc<dyn AttachmentStore>, thumbnails: Arc<dyn ThumbnailStore>) -> Self {
        Self::with_timeouts(runtime, files, thumbnails, ThumbnailTimeouts::default())
    }

    /// The same, whose callers wait otherwise.
    pub fn with_timeouts(
        runtime: Handle,
        files: Arc<dyn AttachmentStore>,
        thumbnails: Arc<dyn ThumbnailStore>,
        patience: ThumbnailTimeouts,
    ) -> Self {
        // So that all of them are there from the start.
        for result in RESULTS {
            thumbnails_counter(result).increment(0);
        }
        Self(Arc::new(ThumbnailJobs {
            runtime,
            files,
            thumbnails,
            patience,
            slots: Slots::new(SLOTS),
            running: Mutex::default(),
            decode: self::thumbnails,
            damage_logged: LogInterval::default(),
            panic_logged: LogInterval::default(),
        }))
    }
}

#[async_trait]
impl ThumbnailMaker for ImageThumbnailMaker {
    async fn make(&self, who: &UserId, picture: &Attachment, size: ThumbnailSize) -> Result<ThumbnailOutcome> {
        let job = ThumbnailJobs::join_or_start(&self.0, who, picture, JobStart::Requested(who.clone()));
        let job = job.inspect_err(|_| note("busy"))?;
        Ok(outcome(end_of(job, |state| matches!(state, ThumbnailJobState::Ended(_))).await?.as_ref(), size))
    }

    async fn dominant_color(&self, who: &UserId, picture: &Attachment) -> Result<Option<Color>> {
        let patience = self.0.patience.color;
        let color = timeout(patience, ThumbnailJobs::color(&self.0, who, picture)).await;
        let color =
            color.unwrap_or_else(|_| Err(ThumbnailFailure::busy("the colour of a picture was not known in time")));
        if matches!(color, Err(ThumbnailFailure::Busy { .. })) {
            note("colorless");
        }
        Ok(color?)
    }
}

/// What a job has when it is far enough.
async fn end_of(mut job: ThumbnailJob, is_enough: impl FnMut(&ThumbnailJobState) -> bool) -> Reply {
    match job.wait_for(is_enough).await.as_deref() {
        Ok(ThumbnailJobState::Made(set)) => Ok(set.clone()),
        Ok(ThumbnailJobState::Ended(reply)) => reply.clone(),
        // The task was dropped with its runtime.
        Ok(ThumbnailJobState::Begun) | Err(_) => Err(ThumbnailFailure::busy("no thumbnails are made any more")),
    }
}

fn outcome(set: Option<&ThumbnailSet>, size: ThumbnailSize) -> ThumbnailOutcome {
    set.map_or(ThumbnailOutcome::Impossible, |set| ThumbnailOutcome::Made(set.get(size).clone()))
}

impl ThumbnailJobs {
    fn running(&self) -> MutexGuard<'_, HashMap<AttachmentId, RunningJob>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The colour of a picture. If the caller gives it up before there is a slot, nothing has begun: a place in the line is
    /// for those who ask for thumbnails.
    async fn color(jobs: &Arc<Self>, who: &UserId, picture: &Attachment) -> Result<Option<Color>, ThumbnailFailure> {
        let slot = jobs.slot(who).await?;
        let job = Self::join_or_start(jobs, who, picture, JobStart::Stored(slot))?;
        let made = end_of(job, |state| !matches!(state, ThumbnailJobState::Begun)).await?;
        Ok(made.and_then(|set| set.color))
    }

    /// The job that makes the thumbnails of this picture. Its first caller starts it.
    fn join_or_start(
        jobs: &Arc<Self>,
        who: &UserId,
        picture: &Attachment,
        start: JobStart,
    ) -> Result<ThumbnailJob, ThumbnailFailure> {
        let id = picture.id;
        let mut running = jobs.running();
        if let Some(running) = running.get(&id) {
            return Ok(running.job.clone());
        }
        if running.len() >= MOST_JOBS {
            return Err(ThumbnailFailure::busy("too many thumbnails are wanted at the same time"));
        }
        // A picture that is being stored has a slot, and the uploads of a person are bounded.
        let is_bounded = matches!(start, JobStart::Requested(_));
        let begun = || running.values().filter(|running| running.begun_by == *who).count();
        if is_bounded && begun() >= MOST_JOBS_OF_A_PERSON {
            return Err(ThumbnailFailure::busy("a person wants too many thumbnails at the same time"));
        }
        let (progress, job) = watch::channel(ThumbnailJobState::Begun);
        running.insert(id, RunningJob { job: job.clone(), begun_by: who.clone() });
        // A runtime that has ended drops the task, and with it the guard, which takes the lock.
        drop(running);
        let guard = JobGuard { jobs: Arc::clone(jobs), id };
        let object = picture.object.clone();
        jobs.runtime.spawn(async move {
            let made = guard.jobs.find_or_make(id, object, start, &progress).await;
            // First, so that a caller who comes now finds what was saved, or begins again.
            drop(guard);
            let _all_have_gone = progress.send(ThumbnailJobState::Ended(made));
        });
        Ok(job)
    }

    /// Counts how a job has ended, and logs it if the stored bytes are damaged.
    fn report(&self, id: AttachmentId, made: &Reply) {
        note(match made {
            Ok(Some(_)) => "made",
            Ok(None) => "impossible",
            Err(ThumbnailFailure::Busy { .. }) => "busy",
            Err(ThumbnailFailure::Damaged(_) | ThumbnailFailure::Broken(_)) => "failed",
        });
        if let Err(ThumbnailFailure::Damaged(cause)) = made
            && self.damage_logged.is_due(Instant::now())
        {
            tracing::error!(
                attachment.id = %id,
                error.cause = cause,
                "the stored bytes of attachment {id} are damaged: {cause}; restore them from a backup of the attachments \
                 (others are not logged for a minute)"
            );
        }
    }

    /// What another job has saved since the caller looked, which that job has counted; else what is made.
    async fn find_or_make(
        &self,
        id: AttachmentId,
        object: StoredObject,
        start: JobStart,
        progress: &watch::Sender<ThumbnailJobState>,
    ) -> Reply {
        let slot = match start {
            JobStart::Stored(slot) => slot,
            JobStart::Requested(who) => {
                let slot = self.slot(&who).await.inspect_err(|_| note("busy"))?;
                if let Some(saved) = self.saved(id).await {
                    return Ok(saved);
                }
                slot
            }
        };
        let made = self.make(id, object, slot, progress).await;
        self.report(id, &made);
        made
    }

    /// Makes the thumbnails and saves them.
    async fn make(
        &self,
        id: AttachmentId,
        object: StoredObject,
        slot: Slot,
        progress: &watch::Sender<ThumbnailJobState>,
    ) -> Reply {
        let set = if object.size > MAX_THUMBNAIL_SOURCE_BYTES {
            None
        } else {
            let Ok(bytes) = timeout(self.patience.reading, self.read(id, object.size)).await else {
                return Err(ThumbnailFailure::busy("the bytes of a picture did not come in time"));
            };
            self.work(id, bytes?, object.sha256, slot, progress).await?
        };
        let _all_have_gone = progress.send(ThumbnailJobState::Made(set.clone()));
        for size in ThumbnailSize::ALL {
            let saved = self.thumbnails.save(id, size, outcome(set.as_ref(), size)).await;
            if let Err(error) = saved {
                // The callers have what they asked for; it is made again for the next ones. A full disk would make a line
                // for each.
                note("unsaved");
                tracing::debug!(attachment.id = %id, error.cause = %error, "a thumbnail was not saved");
            }
        }
        Ok(set)
    }

    async fn slot(&self, who: &UserId) -> Result<Slot, ThumbnailFailure> {
        let slot = timeout(self.patience.slot, self.slots.take(who)).await;
        slot.map_err(|_| ThumbnailFailure::busy("no slot for a thumbnail was free in time"))
    }

    /// What is kept of an object in all sizes, if it is.
    async fn saved(&self, id: AttachmentId) -> Option<Option<ThumbnailSet>> {
        let small = self.thumbnails.find(id, ThumbnailSize::Small).await.ok()??;
        let large = self.thumbnails.find(id, ThumbnailSize::Large).await.ok()??;
        match (small, large) {
            (ThumbnailOutcome::Made(small), ThumbnailOutcome::Made(large)) => {
                Some(Some(ThumbnailSet { small, large, color: None }))
            }
            (ThumbnailOutcome::Impossible, ThumbnailOutcome::Impossible) => Some(None),
            _ => None,
        }
    }

    /// All bytes of an object, which must be so many.
    async fn read(&self, id: AttachmentId, size: u64) -> Result<Bytes, ThumbnailFailure> {
        let failed = |error: ChatError| ThumbnailFailure::of_store(&error);
        let Some(mut source) = self.files.open(id, None).await.map_err(failed)? else {
            // Not `Damaged`, which is logged here: an upload may have been taken back meanwhile, which the caller finds out.
            return Err(ThumbnailFailure::Broken(format!("the bytes of attachment {id} are missing from the store")));
        };
        let mut bytes = Vec::new();
        let mut left = size;
        while let Some(chunk) = source.next_chunk().await.map_err(failed)? {
            let length = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            left = left.checked_sub(length).ok_or_else(|| ThumbnailFailure::wrong_size(size, "more"))?;
            bytes.extend_from_slice(&chunk);
        }
        if left == 0 { Ok(bytes.into()) } else { Err(ThumbnailFailure::wrong_size(size, "fewer")) }
    }

    /// Lets a thread make the thumbnails. If that takes too long, the callers get a failure, and it goes on.
    async fn work(
        &self,
        id: AttachmentId,
        bytes: Bytes,
        sha256: [u8; 32],
        slot: Slot,
        progress: &watch::Sender<ThumbnailJobState>,
    ) -> Reply {
        let decode = self.decode;
        let work = move || {
            let _until_the_end = slot;
            let is_whole = <[u8; 32]>::from(Sha256::digest(&bytes)) == sha256;
            is_whole.then(|| decode(&bytes, &Bounds::default()))
        };
        let mut working =
            worker::start(work).map_err(|_| ThumbnailFailure::busy("no thread for a thumbnail could be started"))?;
        let made = if let Ok(made) = timeout(self.patience.making, &mut working).await {
            made
        } else {
            let late = Err(ThumbnailFailure::busy("a thumbnail was not made in time"));
            let _all_have_gone = progress.send(ThumbnailJobState::Ended(late));
            working.await
        };
        match made {
            Ok(Ok(Some(made))) => Ok(made),
            Ok(Ok(None)) => Err(ThumbnailFailure::Damaged("they have another SHA-256 than stored".to_owned())),
            Ok(Err(panic)) => {
                self.report_panic(id, &panic);
                // The decoder would do so again.
                Ok(None)
            }
            Err(_) => Err(ThumbnailFailure::Broken("the thread of a thumbnail has ended without a result".to_owned())),
        }
    }

    /// Counts that the decoder panicked, which is a fault of the decoder, and logs it.
    fn report_panic(&self, id: AttachmentId, panic: &str) {
        note("panicked");
        if self.panic_logged.is_due(Instant::now()) {
            tracing::warn!(
                attachment.id = %id,
                error.cause = panic,
                "the decoder panicked on attachment {id}, which has no thumbnail: {panic} (others are not logged for a \
                 minute)"
            );
        }
    }
}

/// Ends a job, also when its task is dropped.
struct JobGuard {
    jobs: Arc<ThumbnailJobs>,
    id: AttachmentId,
}

impl Drop for JobGuard {
    fn drop(&mut self) {
        self.jobs.running().remove(&self.id);
    }
}

fn note(result: &'static str) {
    thumbnails_counter(result).increment(1);
}

fn thumbnails_counter(result: &'static str) -> Counter {
    counter!("chat_thumbnails_total", "result" => result)
}
