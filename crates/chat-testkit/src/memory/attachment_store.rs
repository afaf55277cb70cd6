//! The bytes of attachments, and their thumbnails, in memory.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use chat_domain::error::{FieldPath, Invalid};
use chat_domain::model::{
    AttachmentId, ByteRange, MediaMetadata, MediaType, StoreOwner, StoredObject, ThumbnailOutcome, ThumbnailSize,
    Timestamp,
};
use chat_domain::ports::{AttachmentStore, ByteSource, Clock, HealthProbe, StoreOwnership, ThumbnailStore, Upload};
use chat_domain::{ChatError, Result};
use sha2::{Digest, Sha256};

use crate::source;

/// Keeps attachments in memory. It believes what a sender claims of the type and knows nothing of dimensions.
pub struct MemoryAttachmentStore {
    objects: Mutex<BTreeMap<AttachmentId, Object>>,
    owner: Mutex<Option<StoreOwner>>,
    clock: Arc<dyn Clock>,
}

struct Object {
    bytes: Bytes,
    written_at: Timestamp,
    thumbnails: HashMap<ThumbnailSize, ThumbnailOutcome>,
}

impl MemoryAttachmentStore {
    /// An empty store; the clock says how old an object is.
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { objects: Mutex::default(), owner: Mutex::default(), clock })
    }

    /// The ids of all objects, in ascending order.
    pub fn ids(&self) -> Vec<AttachmentId> {
        self.lock().keys().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<AttachmentId, Object>> {
        self.objects.lock().expect("no method panics while it holds the lock")
    }
}

#[async_trait]
impl AttachmentStore for MemoryAttachmentStore {
    async fn put(&self, upload: Upload, mut source: Box<dyn ByteSource>) -> Result<StoredObject> {
        let mut bytes = BytesMut::new();
        while let Some(chunk) = source.next_chunk().await? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() as u64 > upload.max_bytes {
                let rule = format!("must have at most {} bytes", upload.max_bytes);
                return Err(Invalid::new(FieldPath::ATTACHMENTS, rule).into());
            }
        }
        if bytes.is_empty() {
            return Err(Invalid::new(FieldPath::ATTACHMENTS, "must not be empty").into());
        }
        let bytes = bytes.freeze();
        let object = StoredObject {
            size: bytes.len() as u64,
            sha256: Sha256::digest(&bytes).into(),
            media_type: upload.claimed_type.unwrap_or_else(MediaType::octet_stream),
            metadata: MediaMetadata::default(),
        };
        let stored = Object { bytes, written_at: self.clock.now(), thumbnails: HashMap::new() };
        self.lock().insert(upload.id, stored);
        Ok(object)
    }

    async fn open(&self, id: AttachmentId, range: Option<ByteRange>) -> Result<Option<Box<dyn ByteSource>>> {
        let Some(bytes) = self.lock().get(&id).map(|object| object.bytes.clone()) else { return Ok(None) };
        let part = match range {
            Some(range) => part_of(&bytes, &range).ok_or_else(|| ChatError::internal("the range ends too late"))?,
            None => bytes,
        };
        Ok(Some(source::from_bytes(part)))
    }

    async fn delete(&self, id: AttachmentId) -> Result<()> {
        self.lock().remove(&id);
        Ok(())
    }

    async fn stored_before(
        &self,
        before: Timestamp,
        after: Option<AttachmentId>,
        limit: usize,
    ) -> Result<Vec<AttachmentId>> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let objects = self.lock();
        let old = objects.range((start, Bound::Unbounded)).filter(|(_, object)| object.written_at < before);
        Ok(old.map(|(id, _)| *id).take(limit).collect())
    }
}

#[async_trait]
impl ThumbnailStore for MemoryAttachmentStore {
    async fn find(&self, id: AttachmentId, size: ThumbnailSize) -> Result<Option<ThumbnailOutcome>> {
        Ok(self.lock().get(&id).and_then(|object| object.thumbnails.get(&size).cloned()))
    }

    async fn save(&self, id: AttachmentId, size: ThumbnailSize, outcome: ThumbnailOutcome) -> Result<()> {
        if let Some(object) = self.lock().get_mut(&id) {
            object.thumbnails.insert(size, outcome);
        }
        Ok(())
    }
}

#[async_trait]
impl StoreOwnership for MemoryAttachmentStore {
    async fn owner(&self) -> Result<Option<StoreOwner>> {
        Ok(self.owner.lock().expect("no method panics while it holds the lock").clone())
    }

    async fn replace(&self, expected: Option<StoreOwner>, owner: StoreOwner) -> Result<bool> {
        let mut current = self.owner.lock().expect("no method panics while it holds the lock");
        let fits = *current == expected;
        if fits {
            *current = Some(owner);
        }
        Ok(fits)
    }
}

#[async_trait]
impl HealthProbe for MemoryAttachmentStore {
    fn name(&self) -> &'static str {
        "memory attachments"
    }

    async fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

fn part_of(bytes: &Bytes, range: &ByteRange) -> Option<Bytes> {
    let first = usize::try_from(range.first()).ok()?;
    let last = usize::try_from(range.last()).ok()?;
    (last < bytes.len()).then(|| bytes.slice(first..=last))
}
