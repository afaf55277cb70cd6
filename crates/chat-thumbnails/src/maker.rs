//! When thumbnails are made: once for all that ask at the same time, and few at a time.
//!
//! Making one is a task of its own, so that it is made and saved although its caller has gone. It waits for a slot, reads
//! the picture, and gives it to a thread. The slot is free again when the thread has ended, and not before: a decoder
//! cannot be stopped from outside.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chat_domain::model::{
    Attachment, AttachmentId, Color, MAX_THUMBNAIL_SOURCE_BYTES, StoredObject, ThumbnailOutcome, ThumbnailSize,
};
use chat_domain::ports::{AttachmentStore, ThumbnailMaker, ThumbnailStore};
use chat_domain::{ChatError, Result};
use metrics::{Counter, counter};
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use crate::decoding::Bounds;
use crate::picture::{ThumbnailSet, thumbnails};
use crate::worker;

/// How it can end, as it is counted.
const RESULTS: [&str; 6] = ["made", "impossible", "busy", "failed", "unsaved", "colorless"];

/// How many pictures are decoded at the same time.
const SLOTS: usize = 2;

/// How many pictures are decoded or wait for it. More are refused at once.
const MOST_JOBS: usize = 64;

/// When a caller should try again whom the node had no slot for.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// How long the callers of a thumbnail wait for each step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThumbnailTimeouts {
    /// Until a slot is free.
    pub slot: Duration,
    /// Until all bytes of the picture are read.
    pub reading: Duration,
    /// Until it is made. On an idle machine it takes 2 s at the most.
    pub making: Duration,
    /// Until a picture that is being stored has its colour, with the reading. Its sender waits for it.
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
    slots: Arc<Semaphore>,
    /// By the object.
    running: Mutex<HashMap<AttachmentId, ThumbnailJob>>,
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
type Reply = Result<Option<ThumbnailSet>, MakingFailure>;

/// Why a thumbnail was not made: a `ChatError` for each of several callers.
#[derive(Clone, Debug)]
enum MakingFailure {
    Busy { reason: String, retry_after: Duration },
    Broken(String),
}

impl MakingFailure {
    fn busy(reason: &str) -> Self {
        Self::Busy { reason: reason.to_owned(), retry_after: RETRY_AFTER }
    }

    fn of_store(error: &ChatError) -> Self {
        match error {
            ChatError::Unavailable { reason, retry_after } => {
                Self::Busy { reason: reason.clone(), retry_after: *retry_after }
            }
            other => Self::Broken(other.to_string()),
        }
    }
}

impl From<MakingFailure> for ChatError {
    fn from(failure: MakingFailure) -> Self {
        match failure {
            MakingFailure::Busy { reason, retry_after } => Self::Unavailable { reason, retry_after },
            MakingFailure::Broken(cause) => Self::internal(cause),
        }
    }
}

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
        let slots = Arc::new(Semaphore::new(SLOTS));
        Self(Arc::new(ThumbnailJobs { runtime, files, thumbnails, patience, slots, running: Mutex::default() }))
    }
}

#[async_trait]
impl ThumbnailMaker for ImageThumbnailMaker {
    async fn make(&self, picture: &Attachment, size: ThumbnailSize) -> Result<ThumbnailOutcome> {
        let job = ThumbnailJobs::join_or_start(&self.0, picture, None)?;
        Ok(outcome(end_of(job, |state| matches!(state, ThumbnailJobState::Ended(_))).await?.as_ref(), size))
    }

    async fn dominant_color(&self, picture: &Attachment) -> Result<Option<Color>> {
        let color = ThumbnailJobs::color(&self.0, picture).await;
        if matches!(color, Err(MakingFailure::Busy { .. })) {
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
        Ok(ThumbnailJobState::Begun) | Err(_) => Err(MakingFailure::busy("no thumbnails are made any more")),
    }
}

fn outcome(set: Option<&ThumbnailSet>, size: ThumbnailSize) -> ThumbnailOutcome {
    set.map_or(ThumbnailOutcome::Impossible, |set| ThumbnailOutcome::Made(set.get(size).clone()))
}

impl ThumbnailJobs {
    fn running(&self) -> MutexGuard<'_, HashMap<AttachmentId, ThumbnailJob>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The colour of a picture, if there is a slot for it now.
    async fn color(jobs: &Arc<Self>, picture: &Attachment) -> Result<Option<Color>, MakingFailure> {
        let Ok(slot) = Arc::clone(&jobs.slots).try_acquire_owned() else {
            return Err(MakingFailure::busy("no slot for the colour of a picture was free"));
        };
        let job = Self::join_or_start(jobs, picture, Some(slot))?;
        let made = end_of(job, |state| !matches!(state, ThumbnailJobState::Begun));
        match timeout(jobs.patience.color, made).await {
            Ok(made) => Ok(made?.and_then(|set| set.color)),
            Err(_) => Err(MakingFailure::busy("the colour of a picture was not known in time")),
        }
    }

    /// The job that makes the thumbnails of this picture; its first caller, who may have a slot for it, starts it.
    fn join_or_start(
        jobs: &Arc<Self>,
        picture: &Attachment,
        slot: Option<OwnedSemaphorePermit>,
    ) -> Result<ThumbnailJob, MakingFailure> {
        let id = picture.id;
        let mut running = jobs.running();
        let is_full = running.len() >= MOST_JOBS;
        match running.entry(id) {
            Entry::Occupied(job) => Ok(job.get().clone()),
            Entry::Vacant(_) if is_full => {
                note("busy");
                Err(MakingFailure::busy("too many thumbnails are wanted at the same time"))
            }
            Entry::Vacant(place) => {
                let (progress, job) = watch::channel(ThumbnailJobState::Begun);
                place.insert(job.clone());
                let guard = JobGuard { jobs: Arc::clone(jobs), id };
                let object = picture.object.clone();
                jobs.runtime.spawn(async move {
                    let made = guard.jobs.run(id, object, slot, &progress).await;
                    note(match &made {
                        Ok(Some(_)) => "made",
                        Ok(None) => "impossible",
                        Err(MakingFailure::Busy { .. }) => "busy",
                        Err(MakingFailure::Broken(_)) => "failed",
                    });
                    // First, so that a caller who comes now finds what was saved, or begins again.
                    drop(guard);
                    let _all_have_gone = progress.send(ThumbnailJobState::Ended(made));
                });
                Ok(job)
            }
        }
    }

    /// Makes the thumbnails and saves them.
    async fn run(
        &self,
        id: AttachmentId,
        object: StoredObject,
        slot: Option<OwnedSemaphorePermit>,
        progress: &watch::Sender<ThumbnailJobState>,
    ) -> Reply {
        let slot = match slot {
            Some(slot) => slot,
            None => self.slot().await?,
        };
        // By a job that has ended since the caller looked.
        if let Some(saved) = self.saved(id).await {
            return Ok(saved);
        }
        let set = if object.size > MAX_THUMBNAIL_SOURCE_BYTES {
            None
        } else {
            let Ok(bytes) = timeout(self.patience.reading, self.read(id, object.size)).await else {
                return Err(MakingFailure::busy("the bytes of a picture did not come in time"));
            };
            let Some(made) = self.work(bytes?, object.sha256, slot, progress).await? else {
                return Err(MakingFailure::Broken(format!(
                    "the bytes of attachment {id} have another SHA-256 than stored"
                )));
            };
            made
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

    async fn slot(&self) -> Result<OwnedSemaphorePermit, MakingFailure> {
        match timeout(self.patience.slot, Arc::clone(&self.slots).acquire_owned()).await {
            Ok(Ok(slot)) => Ok(slot),
            _ => Err(MakingFailure::busy("no slot for a thumbnail was free in time")),
        }
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
    async fn read(&self, id: AttachmentId, size: u64) -> Result<Bytes, MakingFailure> {
        let failed = |error: ChatError| MakingFailure::of_store(&error);
        let Some(mut source) = self.files.open(id, None).await.map_err(failed)? else {
            return Err(MakingFailure::Broken(format!("the bytes of attachment {id} are missing from the store")));
        };
        let mut bytes = Vec::new();
        let mut left = size;
        while let Some(chunk) = source.next_chunk().await.map_err(failed)? {
            let length = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            left = left.checked_sub(length).ok_or_else(|| wrong_size(id, size, "more"))?;
            bytes.extend_from_slice(&chunk);
        }
        if left == 0 { Ok(bytes.into()) } else { Err(wrong_size(id, size, "fewer")) }
    }

    /// Lets a thread make the thumbnails, unless the bytes have another hash: `None`. If that takes too long, the callers get
    /// a failure, and it goes on.
    async fn work(
        &self,
        bytes: Bytes,
        sha256: [u8; 32],
        slot: OwnedSemaphorePermit,
        progress: &watch::Sender<ThumbnailJobState>,
    ) -> Result<Option<Option<ThumbnailSet>>, MakingFailure> {
        let work = move || {
            let _until_the_end = slot;
            let is_whole = <[u8; 32]>::from(Sha256::digest(&bytes)) == sha256;
            is_whole.then(|| thumbnails(&bytes, &Bounds::default()))
        };
        let mut working =
            worker::start(work).map_err(|_| MakingFailure::busy("no thread for a thumbnail could be started"))?;
        let made = if let Ok(made) = timeout(self.patience.making, &mut working).await {
            made
        } else {
            let late = Err(MakingFailure::busy("a thumbnail was not made in time"));
            let _all_have_gone = progress.send(ThumbnailJobState::Ended(late));
            working.await
        };
        // A decoder that panics would do so again.
        Ok(made.ok().flatten().unwrap_or(Some(None)))
    }
}

fn wrong_size(id: AttachmentId, size: u64, than: &str) -> MakingFailure {
    MakingFailure::Broken(format!("the store has {than} bytes of attachment {id} than the {size} that were stored"))
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
