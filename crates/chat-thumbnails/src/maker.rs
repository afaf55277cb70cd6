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
use chat_domain::model::{AttachmentId, MAX_THUMBNAIL_SOURCE_BYTES, ThumbnailOutcome, ThumbnailSize};
use chat_domain::ports::{AttachmentStore, ThumbnailMaker, ThumbnailStore};
use chat_domain::{ChatError, Result};
use metrics::{Counter, counter};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use crate::decoding::Bounds;
use crate::picture::{ThumbnailSet, thumbnails};
use crate::worker;

/// How it can end, as it is counted.
const RESULTS: [&str; 5] = ["made", "impossible", "busy", "failed", "unsaved"];

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
}

impl Default for ThumbnailTimeouts {
    fn default() -> Self {
        Self { slot: Duration::from_secs(5), reading: Duration::from_secs(10), making: Duration::from_secs(15) }
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
    /// By the object, with the channel of its reply.
    running: Mutex<HashMap<AttachmentId, watch::Receiver<Option<Reply>>>>,
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
    async fn make(&self, id: AttachmentId, size: ThumbnailSize) -> Result<ThumbnailOutcome> {
        let mut job = ThumbnailJobs::join_or_start(&self.0, id)?;
        let reply = match job.wait_for(Option::is_some).await {
            Ok(reply) => reply.clone(),
            // The task was dropped with its runtime.
            Err(_) => None,
        };
        let reply = reply.unwrap_or_else(|| Err(MakingFailure::busy("no thumbnails are made any more")));
        Ok(outcome(reply?.as_ref(), size))
    }
}

fn outcome(set: Option<&ThumbnailSet>, size: ThumbnailSize) -> ThumbnailOutcome {
    set.map_or(ThumbnailOutcome::Impossible, |set| ThumbnailOutcome::Made(set.get(size).clone()))
}

impl ThumbnailJobs {
    fn running(&self) -> MutexGuard<'_, HashMap<AttachmentId, watch::Receiver<Option<Reply>>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The reply of the job that makes the thumbnails of this object; its first caller starts it.
    fn join_or_start(jobs: &Arc<Self>, id: AttachmentId) -> Result<watch::Receiver<Option<Reply>>> {
        let mut running = jobs.running();
        let is_full = running.len() >= MOST_JOBS;
        match running.entry(id) {
            Entry::Occupied(job) => Ok(job.get().clone()),
            Entry::Vacant(_) if is_full => {
                note("busy");
                Err(MakingFailure::busy("too many thumbnails are wanted at the same time").into())
            }
            Entry::Vacant(place) => {
                let (reply, job) = watch::channel(None);
                place.insert(job.clone());
                let guard = JobGuard { jobs: Arc::clone(jobs), id };
                jobs.runtime.spawn(async move {
                    let made = guard.jobs.run(id, &reply).await;
                    note(match &made {
                        Ok(Some(_)) => "made",
                        Ok(None) => "impossible",
                        Err(MakingFailure::Busy { .. }) => "busy",
                        Err(MakingFailure::Broken(_)) => "failed",
                    });
                    // First, so that a caller who comes now finds what was saved, or begins again.
                    drop(guard);
                    let _all_have_gone = reply.send(Some(made));
                });
                Ok(job)
            }
        }
    }

    /// Makes the thumbnails and saves them.
    async fn run(&self, id: AttachmentId, reply: &watch::Sender<Option<Reply>>) -> Reply {
        let slot = timeout(self.patience.slot, Arc::clone(&self.slots).acquire_owned()).await;
        let Ok(Ok(slot)) = slot else { return Err(MakingFailure::busy("no slot for a thumbnail was free in time")) };
        // By a job that has ended since the caller looked.
        if let Some(saved) = self.saved(id).await {
            return Ok(saved);
        }
        let bytes = match timeout(self.patience.reading, self.read(id)).await {
            Ok(bytes) => bytes?,
            Err(_) => return Err(MakingFailure::busy("the bytes of a picture did not come in time")),
        };
        let set = match bytes {
            Some(bytes) => self.work(bytes, slot, reply).await?,
            None => None,
        };
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

    /// What is kept of an object in all sizes, if it is.
    async fn saved(&self, id: AttachmentId) -> Option<Option<ThumbnailSet>> {
        let small = self.thumbnails.find(id, ThumbnailSize::Small).await.ok()??;
        let large = self.thumbnails.find(id, ThumbnailSize::Large).await.ok()??;
        match (small, large) {
            (ThumbnailOutcome::Made(small), ThumbnailOutcome::Made(large)) => Some(Some(ThumbnailSet { small, large })),
            (ThumbnailOutcome::Impossible, ThumbnailOutcome::Impossible) => Some(None),
            _ => None,
        }
    }

    /// All bytes of an object; `None` when there are more than a thumbnail is made of.
    async fn read(&self, id: AttachmentId) -> Result<Option<Bytes>, MakingFailure> {
        let failed = |error: ChatError| MakingFailure::of_store(&error);
        let Some(mut source) = self.files.open(id, None).await.map_err(failed)? else {
            return Err(MakingFailure::Broken(format!("the bytes of attachment {id} are missing from the store")));
        };
        let mut bytes = Vec::new();
        while let Some(chunk) = source.next_chunk().await.map_err(failed)? {
            let length = u64::try_from(bytes.len().saturating_add(chunk.len())).unwrap_or(u64::MAX);
            if length > MAX_THUMBNAIL_SOURCE_BYTES {
                return Ok(None);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Some(bytes.into()))
    }

    /// Lets a thread make the thumbnails. If that takes too long, the callers get a failure, and it goes on.
    async fn work(&self, bytes: Bytes, slot: OwnedSemaphorePermit, reply: &watch::Sender<Option<Reply>>) -> Reply {
        let work = move || {
            let _until_the_end = slot;
            thumbnails(&bytes, &Bounds::default())
        };
        let mut working =
            worker::start(work).map_err(|_| MakingFailure::busy("no thread for a thumbnail could be started"))?;
        let made = if let Ok(made) = timeout(self.patience.making, &mut working).await {
            made
        } else {
            let _all_have_gone = reply.send(Some(Err(MakingFailure::busy("a thumbnail was not made in time"))));
            working.await
        };
        // A decoder that panics would do so again.
        Ok(made.ok().flatten().flatten())
    }
}

/// Takes a job from those that run when its task ends, also when that is dropped.
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
