//! Two places, while files move from one to the other.

use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::{AttachmentId, ByteRange, StoredObject, Timestamp};
use chat_domain::ports::{AttachmentStore, ByteSource, Upload};

/// A store that is read in another place where it has no such object. Nothing is ever written to the other place, or
/// removed from it.
pub struct FallbackAttachmentStore {
    store: Arc<dyn AttachmentStore>,
    fallback: Arc<dyn AttachmentStore>,
}

impl FallbackAttachmentStore {
    /// `store` with `fallback` as the other place.
    pub fn new(store: Arc<dyn AttachmentStore>, fallback: Arc<dyn AttachmentStore>) -> Self {
        Self { store, fallback }
    }
}

#[async_trait]
impl AttachmentStore for FallbackAttachmentStore {
    async fn put(&self, upload: Upload, source: Box<dyn ByteSource>) -> Result<StoredObject> {
        self.store.put(upload, source).await
    }

    /// An object that moves is there before it is gone from the other place, so it is found in one of the two.
    async fn open(&self, id: AttachmentId, range: Option<ByteRange>) -> Result<Option<Box<dyn ByteSource>>> {
        match self.store.open(id, range.clone()).await? {
            Some(source) => Ok(Some(source)),
            None => self.fallback.open(id, range).await,
        }
    }

    async fn delete(&self, id: AttachmentId) -> Result<()> {
        self.store.delete(id).await
    }

    async fn stored_before(
        &self,
        before: Timestamp,
        after: Option<AttachmentId>,
        limit: usize,
    ) -> Result<Vec<AttachmentId>> {
        self.store.stored_before(before, after, limit).await
    }
}
