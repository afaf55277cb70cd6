//! Attachments as objects in a bucket of S3, or of a service that does the same.
//!
//! The requests are those of the crate `object_store`. What it leaves to its callers is here: one object a key, which
//! nothing replaces (`upload`, `connector`), nothing left of uploads that fail, limits of time and memory (`client`,
//! `parts`), reads that go on where they broke off (`reading`).

mod binding;
mod client;
mod connector;
mod failure;
mod health;
mod listing;
mod location;
mod ownership;
mod parts;
mod reading;
mod thumbnails;
mod upload;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::{AttachmentId, ByteRange, StoredObject, Timestamp};
use chat_domain::ports::{AttachmentStore, ByteSource, Upload};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, Semaphore};

use self::binding::Unverified;
use self::client::S3Client;
use crate::error::StorageError;
use crate::probe;

pub use self::binding::S3BindError;
pub use self::client::{S3Settings, is_s3_variable};
pub use self::location::S3Location;

/// How many threads work on uploads at the same time.
const UPLOAD_THREADS: usize = 8;

/// Keeps attachments as objects in a bucket. A small one is in memory as a whole until it is stored, of a larger one about
/// 12 MiB.
///
/// All requests are made on the runtime in which the store was opened, whichever runtime it is called from.
#[derive(Clone, Debug)]
pub struct S3AttachmentStore {
    client: Arc<S3Client>,
    metadata_time: Duration,
    upload_threads: Arc<Semaphore>,
    /// The database whose objects these have still to prove to be.
    unverified: Arc<Mutex<Option<Unverified>>>,
    is_unverified: Arc<AtomicBool>,
    /// When the service was last tried out.
    tried: Arc<Mutex<Option<Instant>>>,
}

impl S3AttachmentStore {
    /// Opens the store. Nothing is sent yet: see [`bind`](Self::bind).
    ///
    /// # Errors
    /// When the settings are wrong, or there is no current tokio runtime.
    pub fn open(settings: S3Settings) -> Result<Self, StorageError> {
        let runtime = Handle::try_current().map_err(|_| StorageError::NoRuntime)?;
        let location = settings.location.to_string();
        let client = S3Client::new(settings, runtime);
        Ok(Self {
            client: Arc::new(client.map_err(|problem| StorageError::S3 { location, problem })?),
            metadata_time: probe::METADATA_TIME,
            upload_threads: Arc::new(Semaphore::new(UPLOAD_THREADS)),
            unverified: Arc::default(),
            is_unverified: Arc::default(),
            tried: Arc::default(),
        })
    }

    /// The same, with another time in which the dimensions and the duration of a file are looked for: 100 ms otherwise.
    /// Nothing else depends on it.
    #[must_use]
    pub fn with_metadata_time(self, metadata_time: Duration) -> Self {
        Self { metadata_time, ..self }
    }
}

#[async_trait]
impl AttachmentStore for S3AttachmentStore {
    async fn put(&self, upload: Upload, source: Box<dyn ByteSource>) -> Result<StoredObject> {
        self.verified().await?;
        self.take(upload, source).await
    }

    async fn open(&self, id: AttachmentId, range: Option<ByteRange>) -> Result<Option<Box<dyn ByteSource>>> {
        self.verified().await?;
        reading::open(&self.client, self.client.location.object(id), range.as_ref()).await
    }

    async fn delete(&self, id: AttachmentId) -> Result<()> {
        self.verified().await?;
        // While the object is there, a removal that failed is tried again. Afterwards, what was saved meanwhile goes.
        self.remove_thumbnails(id).await?;
        self.client
            .delete(self.client.location.object(id))
            .await
            .map_err(|failure| failure.into_error("delete an attachment"))?;
        self.remove_thumbnails(id).await
    }

    async fn stored_before(
        &self,
        before: Timestamp,
        after: Option<AttachmentId>,
        limit: usize,
    ) -> Result<Vec<AttachmentId>> {
        self.verified().await?;
        listing::stored_before(&self.client, before, after, limit).await
    }
}
