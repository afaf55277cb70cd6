//! Storing an object: in one request where it is small, else in parts.
//!
//! Each upload has a random token in the metadata of its object. So it is known whose object is under a key when a
//! response was lost, and an upload removes its own object and no other.

use std::sync::Arc;
use std::time::Duration;

use chat_domain::model::{AttachmentId, MediaMetadata, MediaType, StoredObject};
use chat_domain::ports::{ByteSource, Upload};
use chat_domain::{ChatError, Result};
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, MultipartId, ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions,
    PutPayload,
};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::S3AttachmentStore;
use super::client::{COMPLETION_LIMIT, REQUEST_LIMIT, S3Client, attributes, transfer_limit, within};
use super::failure::S3Failure;
use super::parts::{CompletePart, IncomingParts};
use crate::error::task_error;
use crate::excerpt::Excerpt;
use crate::probe;

const STORING: &str = "store an attachment";
/// The name of the token in the metadata.
const TOKEN: &str = "upload";

/// What an upload is about, as far as S3 needs it.
#[derive(Clone)]
struct UploadTarget {
    client: Arc<S3Client>,
    key: Path,
    token: String,
}

impl S3AttachmentStore {
    /// Stores an upload, and leaves nothing of it when that fails: what is left is removed in the background, because S3 may
    /// be what failed.
    pub(super) async fn take(&self, upload: Upload, source: Box<dyn ByteSource>) -> Result<StoredObject> {
        let Upload { id, claimed_type, max_bytes } = upload;
        let target = self.target(id);
        let mut parts = None;
        let incoming =
            self.receive(&target, IncomingParts::new(max_bytes), claimed_type.as_ref(), source, &mut parts).await?;
        let (facts, excerpt, last) = incoming.finish(claimed_type.as_ref())?;
        let (media_type, metadata) = self.look_at(excerpt, facts.media_type).await?;
        let stored = match parts {
            None => target.put(last, &media_type).await?,
            Some(parts) => parts.complete(last).await?,
        };
        // Nothing is awaited from here on: until it is kept, dropping this future removes the object again.
        stored.keep();
        self.client.full.record_success();
        Ok(StoredObject { size: facts.size, sha256: facts.sha256, media_type, metadata })
    }

    fn target(&self, id: AttachmentId) -> UploadTarget {
        let token = Uuid::new_v4().simple().to_string();
        UploadTarget { client: Arc::clone(&self.client), key: self.client.location.object(id), token }
    }

    /// Takes all of the source. Parts are sent as they fill; the last one stays here.
    async fn receive(
        &self,
        target: &UploadTarget,
        mut incoming: IncomingParts,
        claimed: Option<&MediaType>,
        mut source: Box<dyn ByteSource>,
        parts: &mut Option<PartsUpload>,
    ) -> Result<IncomingParts> {
        while let Some(piece) = source.next_chunk().await? {
            incoming.intake.admit(&piece)?;
            let mut rest = piece.as_ref();
            while !rest.is_empty() {
                // Only now is it certain that more follows.
                if incoming.part_is_full() {
                    if !incoming.has_parts() {
                        *parts = Some(target.begin_parts(&incoming.intake.likely_type(claimed)).await?);
                    }
                    let part = incoming.take_part()?;
                    if let Some(parts) = parts {
                        parts.send(part).await?;
                    }
                }
                rest = incoming.fill(rest);
                if incoming.block_is_full() {
                    incoming = self.step(move || incoming.seal_block()).await?;
                }
            }
        }
        self.step(move || incoming.seal_block()).await
    }

    /// The exact type, and what the header states of dimensions and duration.
    async fn look_at(&self, excerpt: Excerpt, container: MediaType) -> Result<(MediaType, MediaMetadata)> {
        let limit = self.metadata_time;
        let look = move || {
            let media_type = probe::exact_type(excerpt.clone(), container);
            let metadata = probe::metadata(excerpt, &media_type, limit);
            (media_type, metadata)
        };
        self.step(look).await
    }

    /// Runs what takes a processor for a while, for only so many uploads at the same time.
    async fn step<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        // Never closed. It is free again when the work is done, whether or not the caller still waits.
        let permit = Arc::clone(&self.upload_threads).acquire_owned().await.ok();
        let done = self.client.runtime.spawn_blocking(move || {
            let _until_done = permit;
            work()
        });
        done.await.map_err(|error| task_error(&error))
    }
}

impl UploadTarget {
    /// A download through S3's own addresses would never be shown as a page.
    fn attributes(&self, media_type: &MediaType) -> Attributes {
        Attributes::from_iter([
            (Attribute::ContentType, media_type.as_str().to_owned()),
            (Attribute::ContentDisposition, "attachment".to_owned()),
            (Attribute::Metadata(TOKEN.into()), self.token.clone()),
        ])
    }

    /// Stores a small object at once.
    async fn put(self, part: CompletePart, media_type: &MediaType) -> Result<Stored> {
        let limit = transfer_limit(part.bytes);
        let options =
            PutOptions { mode: PutMode::Create, attributes: self.attributes(media_type), ..PutOptions::default() };
        let (store, key) = (self.client.store.clone(), self.key.clone());
        let payload = PutPayload::from_iter(part.blocks);
        self.settle(limit, async move { store.put_opts(&key, payload, options).await.map(|_| ()) }).await
    }

    /// Begins an upload in parts.
    async fn begin_parts(&self, media_type: &MediaType) -> Result<PartsUpload> {
        let (store, key) = (self.client.store.clone(), self.key.clone());
        let options = PutMultipartOptions { attributes: self.attributes(media_type), ..PutMultipartOptions::default() };
        let begun =
            self.client.run(REQUEST_LIMIT, async move { store.create_multipart_opts(&key, options).await }).await;
        let id = begun.map_err(|failure| failure.into_error("begin an attachment"))?;
        let unfinished = Unfinished { target: self.clone(), id, sending: None, is_complete: false };
        Ok(PartsUpload { unfinished, sent: Vec::new(), next: 0 })
    }

    /// Makes the request that stores the object, and finds out whether it did. The request is not given up with the
    /// caller: what it has stored must be known to be removed.
    async fn settle(
        self,
        limit: Duration,
        request: impl Future<Output = object_store::Result<()>> + Send + 'static,
    ) -> Result<Stored> {
        let task = self.client.runtime.spawn(within(limit, request));
        let mut stored = Stored { target: self, task: Some(task), is_kept: false };
        let Some(task) = &mut stored.task else { return Err(ChatError::internal("no task was started")) };
        let outcome = task.await;
        stored.task = None;
        let target = stored.target.clone();
        let failure = match target.client.noted(outcome) {
            Ok(()) => return Ok(stored),
            Err(failure @ S3Failure::Full(_)) => return Err(failure.into_error(STORING)),
            Err(failure) => failure,
        };
        // The response may have been lost, and the repetition was refused then.
        let found = target.client.attributes(target.key.clone()).await;
        match found.map(|found| found.is_some_and(|found| target.is_ours(&found))) {
            Ok(true) => Ok(stored),
            Ok(false) if failure == S3Failure::Condition => {
                Err(ChatError::internal("an object with this id is already stored"))
            }
            Err(unknown) if failure == S3Failure::Condition => Err(unknown.into_error(STORING)),
            Ok(false) | Err(_) => Err(failure.into_error(STORING)),
        }
    }

    fn is_ours(&self, found: &Attributes) -> bool {
        found.get(&Attribute::Metadata(TOKEN.into())).is_some_and(|token| token.as_ref() == self.token)
    }

    /// Removes the object if it is the one of this upload.
    async fn remove(self) {
        let Self { client, key, token: _ } = &self;
        let removal = within(REQUEST_LIMIT.saturating_mul(2), async {
            let found = attributes(&client.store, key).await?;
            if self.is_ours(&found) { client.store.delete(key).await } else { Ok(()) }
        });
        let _left_to_the_next_collection = removal.await;
    }
}

/// An object that was stored, removed again unless it is kept: its caller may be gone by now.
#[must_use]
struct Stored {
    target: UploadTarget,
    /// The request, unless its outcome is known.
    task: Option<JoinHandle<Result<(), S3Failure>>>,
    is_kept: bool,
}

impl Stored {
    /// Leaves the object in its place.
    fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for Stored {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        let (target, task) = (self.target.clone(), self.task.take());
        self.target.client.runtime.spawn(async move {
            if let Some(task) = task {
                let _outcome_does_not_matter = task.await;
            }
            target.remove().await;
        });
    }
}

/// An upload in parts.
struct PartsUpload {
    unfinished: Unfinished,
    sent: Vec<PartId>,
    next: usize,
}

impl PartsUpload {
    /// Sends a part, once the one before has been sent: an upload has two of them in memory.
    async fn send(&mut self, part: CompletePart) -> Result<()> {
        self.wait().await?;
        let Unfinished { target, id, sending, .. } = &mut self.unfinished;
        let (store, key, id, index) = (target.client.store.clone(), target.key.clone(), id.clone(), self.next);
        self.next += 1;
        let (limit, payload) = (transfer_limit(part.bytes), PutPayload::from_iter(part.blocks));
        let request = async move { store.put_part(&key, &id, index, payload).await };
        *sending = Some(target.client.runtime.spawn(within(limit, request)));
        Ok(())
    }

    /// Waits until the part that is on its way was sent.
    async fn wait(&mut self) -> Result<()> {
        let Some(sending) = &mut self.unfinished.sending else { return Ok(()) };
        let outcome = sending.await;
        self.unfinished.sending = None;
        let sent = self.unfinished.target.client.noted(outcome);
        self.sent.push(sent.map_err(|failure| failure.into_error(STORING))?);
        Ok(())
    }

    /// Sends the last part, and makes an object of all.
    async fn complete(mut self, last: CompletePart) -> Result<Stored> {
        self.send(last).await?;
        self.wait().await?;
        let Self { mut unfinished, sent, .. } = self;
        let target = unfinished.target.clone();
        let (store, key, id) = (target.client.store.clone(), target.key.clone(), unfinished.id.clone());
        let request = async move { store.complete_multipart(&key, &id, sent).await.map(|_| ()) };
        let stored = target.settle(COMPLETION_LIMIT, request).await?;
        unfinished.is_complete = true;
        Ok(stored)
    }
}

/// The parts of an upload, removed again unless an object was made of them.
struct Unfinished {
    target: UploadTarget,
    id: MultipartId,
    sending: Option<JoinHandle<Result<PartId, S3Failure>>>,
    is_complete: bool,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if self.is_complete {
            return;
        }
        let (target, id, sending) = (self.target.clone(), self.id.clone(), self.sending.take());
        self.target.client.runtime.spawn(async move {
            // A part that arrives after the others have been removed would stay.
            if let Some(sending) = sending {
                let _outcome_does_not_matter = sending.await;
            }
            let UploadTarget { client, key, .. } = &target;
            let removal = within(REQUEST_LIMIT.saturating_mul(2), client.store.abort_multipart(key, &id));
            let _left_to_the_rule_of_the_bucket = removal.await;
        });
    }
}
