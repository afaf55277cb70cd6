//! Attachments as files in a directory of the local disk.
//!
//! Built on the standard library rather than on `object_store`'s `LocalFileSystem` (read at 0.14.2, with `with_fsync`),
//! which falls short of the port's contract in ways that cannot be repaired through its interface:
//! - completing an upload forgets the temporary file before it syncs and renames it, so an upload that fails there, for
//!   want of space, leaves the file behind; `abort` and `drop` then do nothing;
//! - an upload whose future is dropped while it completes is published all the same;
//! - listing hides temporaries, so those of a crash can never be collected through it;
//! - when two uploads need a new directory, only the one that creates it syncs the parent; the other may report success
//!   before its directory is durable;
//! - starting an upload creates, and syncs, directories on the caller's thread, and everything else runs on the
//!   caller's runtime, while our callers are web workers with a thread each;
//! - listing walks the whole tree in no order, and the port pages in ascending order.
//!
//! It remains the choice for stores on the network, which have none of these problems.

mod layout;
mod listing;
mod ownership;
mod reading;
mod staging;
mod thumbnails;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use chat_domain::model::{
    AttachmentId, ByteRange, MediaMetadata, MediaType, StoreOwner, StoredObject, ThumbnailOutcome, ThumbnailSize,
    Timestamp,
};
use chat_domain::ports::{AttachmentStore, ByteSource, HealthProbe, StoreOwnership, ThumbnailStore, Upload};
use chat_domain::{ChatError, Result};
use time::OffsetDateTime;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::error::Elapsed;

use self::layout::Layout;
use self::reading::FileSource;
use self::staging::{SharedBuckets, Staged};
use crate::error::{StorageError, file_error, task_error};
use crate::intake::Intake;
use crate::outage::{OutageMonitor, StoreOutage};
use crate::probe;

/// How many bytes are gathered before they are hashed and written in one go. Together with one piece of the source this
/// is what an upload takes of memory, also when its sender stops in the middle. A piece of this size, which is what the
/// network gives of a fast upload, is written as it is.
const BATCH_BYTES: usize = 16 * 1024;

/// How many threads work on uploads at the same time. Each of them has a stack and a part of the allocator to itself,
/// about 100 KiB: with one for each upload that wants to write, 128 uploads that came at once took twice the memory.
const UPLOAD_THREADS: usize = 8;

/// Keeps attachments as files in a directory.
///
/// All file work is done on the runtime in which the store was opened, whichever runtime it is called from.
#[derive(Clone, Debug)]
pub struct LocalAttachmentStore {
    runtime: Handle,
    layout: Arc<Layout>,
    buckets: SharedBuckets,
    full: Arc<OutageMonitor>,
    metadata_time: Duration,
    upload_threads: Arc<Semaphore>,
}

impl LocalAttachmentStore {
    /// Opens the store in `root`: creates the directory if need be, checks that it can be written to, and removes what
    /// uploads of a crashed process left behind. Several processes may have the same directory open.
    ///
    /// Blocks for a few file operations.
    ///
    /// # Errors
    /// When the directory cannot be used, or there is no current tokio runtime.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, StorageError> {
        let runtime = Handle::try_current().map_err(|_| StorageError::NoRuntime)?;
        let root = root.into();
        let unusable = |error| StorageError::directory(&root, error);
        let absolute = std::path::absolute(&root).map_err(unusable)?;
        let layout = Layout::new(&absolute);
        staging::prepare(&absolute, &layout).map_err(|(path, error)| StorageError::directory(&path, error))?;
        staging::try_out(&layout).map_err(unusable)?;
        let removed = staging::remove_abandoned(&layout, None).map_err(unusable)?;
        if removed > 0 {
            tracing::info!(files = removed, "removed {removed} uploads that a crash had interrupted");
        }
        Ok(Self::with_layout(runtime, layout))
    }

    /// Opens the store in `root` as it is, to read it: creates and removes nothing, and may be used on a medium that takes
    /// no writes.
    ///
    /// # Errors
    /// When there is no such directory, or no current tokio runtime.
    pub fn open_to_read(root: impl Into<PathBuf>) -> Result<Self, StorageError> {
        let runtime = Handle::try_current().map_err(|_| StorageError::NoRuntime)?;
        let root = root.into();
        let absolute = std::fs::canonicalize(&root).map_err(|error| StorageError::directory(&root, error))?;
        Ok(Self::with_layout(runtime, Layout::new(&absolute)))
    }

    /// Tries whether files can be stored in `root`: writes, reads and removes a small file where uploads begin. Creates and
    /// removes nothing else, so that it may be done beside a process that has the store open, and by another user.
    ///
    /// Blocks for a few file operations.
    ///
    /// # Errors
    /// Why they cannot.
    pub fn try_out(root: impl Into<PathBuf>) -> Result<(), StorageError> {
        let root = root.into();
        let mut layout = Layout::new(&root);
        // The next process that opens the store makes it.
        if matches!(layout.incoming.try_exists(), Ok(false)) {
            layout.incoming = root;
        }
        staging::try_out(&layout).map_err(|error| StorageError::directory(&layout.incoming, error))
    }

    fn with_layout(runtime: Handle, layout: Layout) -> Self {
        Self {
            runtime,
            layout: Arc::new(layout),
            buckets: SharedBuckets::default(),
            full: Arc::new(OutageMonitor::new(StoreOutage::DiskFull)),
            metadata_time: probe::METADATA_TIME,
            upload_threads: Arc::new(Semaphore::new(UPLOAD_THREADS)),
        }
    }

    /// The same, with another time in which the dimensions and the duration of a file are looked for: 100 ms otherwise.
    /// Nothing else depends on it.
    #[must_use]
    pub fn with_metadata_time(self, metadata_time: Duration) -> Self {
        Self { metadata_time, ..self }
    }

    /// Runs file work on the store's runtime.
    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(&Layout) -> T + Send + 'static) -> Result<T> {
        let layout = Arc::clone(&self.layout);
        self.runtime.spawn_blocking(move || work(&layout)).await.map_err(|error| task_error(&error))
    }

    /// The same for the steps of uploads, of which only so many are taken at the same time.
    async fn step<T: Send + 'static>(&self, work: impl FnOnce(&Layout) -> T + Send + 'static) -> Result<T> {
        // Never closed. It is free again when the work is done, whether or not the caller still waits.
        let permit = Arc::clone(&self.upload_threads).acquire_owned().await.ok();
        let done = self.blocking(move |layout| {
            let _until_done = permit;
            work(layout)
        });
        done.await
    }

    /// Waits for a task, but only so long. Timed on the store's runtime, since a caller's may have no timer.
    async fn at_most<T: Send + 'static>(&self, limit: Duration, task: JoinHandle<T>) -> Limited<T> {
        self.runtime.spawn(async move { tokio::time::timeout(limit, task).await }).await
    }

    /// Writes gathered bytes, and gives the file and the emptied buffer back.
    async fn write(&self, mut staged: Staged, batch: WriteBuffer) -> Result<(Staged, Vec<u8>)> {
        let written = self.step(move |_| {
            staged.write(batch.as_ref())?;
            Ok::<_, io::Error>((staged, batch.into_buffer()))
        });
        written.await?.map_err(|error| file_error("write an attachment", &error))
    }

    /// Takes all of the source into a temporary file.
    async fn receive(&self, mut staged: Staged, mut source: Box<dyn ByteSource>) -> Result<Staged> {
        let mut buffer = Vec::new();
        while let Some(piece) = source.next_chunk().await? {
            staged.intake.admit(&piece)?;
            // A large piece is written as it is, small ones are gathered: one trip to another thread per batch.
            if buffer.len() + piece.len() > BATCH_BYTES && !buffer.is_empty() {
                (staged, buffer) = self.write(staged, WriteBuffer::Gathered(buffer)).await?;
            }
            if piece.len() >= BATCH_BYTES {
                (staged, _) = self.write(staged, WriteBuffer::Piece(piece)).await?;
                continue;
            }
            // Grown step by step, it would end with room for twice as much.
            buffer.reserve_exact(BATCH_BYTES - buffer.len());
            buffer.extend_from_slice(&piece);
        }
        if !buffer.is_empty() {
            (staged, _) = self.write(staged, WriteBuffer::Gathered(buffer)).await?;
        }
        Ok(staged)
    }

    /// The type that the file has. It takes as long as it takes, which is bounded by reads and bytes: a type must not
    /// depend on how busy the machine is, and a disk that hangs stops the upload anyway.
    async fn exact_type(&self, path: &Path, container: MediaType) -> Result<MediaType> {
        let path = path.to_owned();
        let look = move |_: &Layout| match File::open(&path) {
            Ok(file) => probe::exact_type(file, container),
            Err(_) => container,
        };
        self.step(look).await
    }

    /// What the file's header states of dimensions and duration. Given up when it takes too long once it runs: the upload
    /// is worth more than that.
    async fn metadata(&self, path: &Path, media_type: &MediaType) -> MediaMetadata {
        let (path, media_type, limit) = (path.to_owned(), media_type.clone(), self.metadata_time);
        let (begun, begins) = oneshot::channel();
        let permit = Arc::clone(&self.upload_threads).acquire_owned().await.ok();
        let probing = self.runtime.spawn_blocking(move || {
            let _until_done = permit;
            let _receiver_is_gone = begun.send(());
            File::open(&path).map(|file| probe::metadata(file, &media_type, limit)).unwrap_or_default()
        });
        // An upload needs a thread for its next step as well, so that waiting for one here costs it nothing.
        if begins.await.is_err() {
            return MediaMetadata::default();
        }
        match self.at_most(probe::abandon_after(limit), probing).await {
            Ok(Ok(Ok(metadata))) => metadata,
            _ => MediaMetadata::default(),
        }
    }

    /// Takes all of the source and makes it durable under its name.
    async fn store(
        &self,
        id: AttachmentId,
        claimed_type: Option<MediaType>,
        staged: Staged,
        source: Box<dyn ByteSource>,
    ) -> Result<StoredObject> {
        let staged = self.receive(staged, source).await?;
        let (facts, complete) = staged.finish(claimed_type.as_ref())?;
        let media_type = self.exact_type(complete.path(), facts.media_type).await?;
        let metadata = self.metadata(complete.path(), &media_type).await;

        let buckets = Arc::clone(&self.buckets);
        let published = self.step(move |layout| complete.publish(layout, &buckets, id)).await?;
        // Nothing is awaited from here on: until it is kept, dropping this future removes the object again.
        published.map_err(|error| file_error("store an attachment", &error))?.keep();
        Ok(StoredObject { size: facts.size, sha256: facts.sha256, media_type, metadata })
    }

    /// Stores an upload, and leaves nothing of it when that fails.
    async fn take(&self, upload: Upload, source: Box<dyn ByteSource>) -> Result<StoredObject> {
        let Upload { id, claimed_type, max_bytes } = upload;
        let runtime = self.runtime.clone();
        let staged = self.step(move |layout| Staged::create(layout, id, Intake::new(max_bytes), &runtime));
        let staged = staged.await?.map_err(|error| file_error("begin an attachment", &error))?;
        let path = staged.path().to_owned();
        let stored = self.store(id, claimed_type, staged, source).await;
        if stored.is_err() {
            // It is being removed since it was dropped; the caller returns when it has gone.
            let _left_to_the_next_collection = self.blocking(move |_| staging::remove_if_there(&path)).await;
        }
        stored
    }
}

/// What became of a task that was given a time: it may be late, and it may have panicked.
type Limited<T> = Result<Result<Result<T, JoinError>, Elapsed>, JoinError>;

/// Bytes to be written.
enum WriteBuffer {
    Gathered(Vec<u8>),
    Piece(Bytes),
}

impl WriteBuffer {
    /// An empty buffer, that of the batch where it has one.
    fn into_buffer(self) -> Vec<u8> {
        match self {
            Self::Gathered(mut buffer) => {
                buffer.clear();
                buffer
            }
            Self::Piece(_) => Vec::new(),
        }
    }
}

impl AsRef<[u8]> for WriteBuffer {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Gathered(buffer) => buffer,
            Self::Piece(piece) => piece,
        }
    }
}

#[async_trait]
impl AttachmentStore for LocalAttachmentStore {
    async fn put(&self, upload: Upload, source: Box<dyn ByteSource>) -> Result<StoredObject> {
        let stored = self.take(upload, source).await;
        match &stored {
            Ok(_) => self.full.record_success(),
            Err(ChatError::StorageFull) => self.full.record_failure(""),
            Err(_) => {}
        }
        stored
    }

    async fn open(&self, id: AttachmentId, range: Option<ByteRange>) -> Result<Option<Box<dyn ByteSource>>> {
        let opened = self.blocking(move |layout| reading::open(&layout.object(id), range.as_ref())).await??;
        let source = |(file, remaining)| FileSource::new(self.runtime.clone(), file, remaining);
        Ok(opened.map(|opened| Box::new(source(opened)) as Box<dyn ByteSource>))
    }

    /// Not synced: a removal that a crash undoes leaves an object that nothing refers to, to be collected again.
    async fn delete(&self, id: AttachmentId) -> Result<()> {
        let removed = self.blocking(move |layout| {
            // While the object is there, a removal that failed is tried again. Afterwards, what was saved meanwhile goes.
            thumbnails::remove(layout, id)?;
            staging::remove_if_there(&layout.object(id))?;
            thumbnails::remove(layout, id)
        });
        removed.await?.map_err(|error| file_error("delete an attachment", &error))
    }

    async fn stored_before(
        &self,
        before: Timestamp,
        after: Option<AttachmentId>,
        limit: usize,
    ) -> Result<Vec<AttachmentId>> {
        let before = SystemTime::from(OffsetDateTime::from(before));
        let found = self.blocking(move |layout| {
            // Once per round, which begins without `after`.
            if after.is_none() {
                staging::remove_abandoned(layout, Some(before))?;
            }
            listing::stored_before(layout, before, after, limit)
        });
        found.await?.map_err(|error| file_error("list attachments", &error))
    }
}

#[async_trait]
impl ThumbnailStore for LocalAttachmentStore {
    async fn find(&self, id: AttachmentId, size: ThumbnailSize) -> Result<Option<ThumbnailOutcome>> {
        let found = self.blocking(move |layout| thumbnails::find(layout, id, size)).await?;
        found.map_err(|error| file_error("read a thumbnail", &error))
    }

    async fn save(&self, id: AttachmentId, size: ThumbnailSize, outcome: ThumbnailOutcome) -> Result<()> {
        let runtime = self.runtime.clone();
        let saved = self.step(move |layout| thumbnails::save(layout, id, size, &outcome, &runtime)).await?;
        saved.map_err(|error| file_error("write a thumbnail", &error))
    }
}

#[async_trait]
impl StoreOwnership for LocalAttachmentStore {
    async fn owner(&self) -> Result<Option<StoreOwner>> {
        let owner = self.blocking(|layout| ownership::read(&layout.root)).await?;
        owner.map_err(|error| file_error("read who collects the attachments", &error))
    }

    async fn replace(&self, expected: Option<StoreOwner>, owner: StoreOwner) -> Result<bool> {
        let replaced = self.blocking(move |layout| ownership::replace(&layout.root, expected.as_ref(), &owner)).await?;
        replaced.map_err(|error| file_error("write who collects the attachments", &error))
    }
}

/// How long a check may take before the disk counts as stuck.
const CHECK_LIMIT: Duration = Duration::from_secs(5);

#[async_trait]
impl HealthProbe for LocalAttachmentStore {
    fn name(&self) -> &'static str {
        "attachments"
    }

    async fn check(&self) -> Result<(), String> {
        let layout = Arc::clone(&self.layout);
        let trying = self.runtime.spawn_blocking(move || staging::try_out(&layout));
        match self.at_most(CHECK_LIMIT, trying).await {
            Ok(Ok(Ok(outcome))) => {
                match outcome.map_err(|error| (error.to_string(), file_error("try the disk", &error))) {
                    Ok(()) => {
                        self.full.record_success();
                        Ok(())
                    }
                    Err((_, ChatError::StorageFull)) => {
                        self.full.record_failure("");
                        Ok(())
                    }
                    Err((error, _)) => Err(format!("cannot write attachments: {error}")),
                }
            }
            Ok(Err(_)) => Err(format!("the attachment disk did not answer within {} s", CHECK_LIMIT.as_secs())),
            Ok(Ok(Err(error))) | Err(error) => Err(task_error(&error).to_string()),
        }
    }

    /// A full disk does not prevent texts, and every node that shares it would report the same.
    fn degraded(&self) -> Option<&'static str> {
        self.full.is_active().then_some("no room for files; texts can be sent")
    }
}
