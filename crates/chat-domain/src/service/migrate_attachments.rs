//! Copy stored files to another store, while nodes write to the new one and read from both. It can be stopped at any
//! point and begun again: what is in the new store was verified before it could be seen there.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::error::{ChatError, Result};
use crate::model::{AttachmentId, StoredObject, Timestamp};
use crate::ports::{AttachmentStore, ByteSource, MessageRepository, Upload, UploadRegistry};

/// How many files are listed together, so that memory does not grow with their number.
const BATCH: usize = 500;

/// Files that stand one after the other in the old store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationBatch {
    /// Those that the new store does not have.
    pub missing: Vec<AttachmentId>,
    /// How many it has.
    pub present: usize,
    /// Behind which file the next batch begins.
    pub last: AttachmentId,
}

/// What became of a file that was to be copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileMigration {
    /// The new store has it; so many bytes.
    Copied(u64),
    /// It is gone from the old store: it was collected meanwhile.
    Gone,
    /// Its bytes are not those that it was uploaded with. It was not copied.
    Damaged,
}

/// Copies files.
#[derive(Clone)]
pub struct AttachmentMigration {
    /// The old store.
    pub from: Arc<dyn AttachmentStore>,
    /// The new one.
    pub to: Arc<dyn AttachmentStore>,
    /// The messages, which know the hash of each of their files.
    pub messages: Arc<dyn MessageRepository>,
    /// Those that are not sent yet, with their hashes.
    pub uploads: Arc<dyn UploadRegistry>,
}

impl AttachmentMigration {
    /// The next files of the old store behind `after`, from the first one for `None`; `None` when there are no more.
    ///
    /// # Errors
    /// What the stores fail with.
    pub async fn batch(&self, after: Option<AttachmentId>) -> Result<Option<MigrationBatch>> {
        let everything = Timestamp::from_unix_ms(i64::MAX);
        // Behind the first of all ids: a listing without a beginning is that of a collector.
        let mut after = after.or(Some(AttachmentId::new(Uuid::nil())));
        let old = self.from.stored_before(everything, after, BATCH).await?;
        let Some(last) = old.last().copied() else { return Ok(None) };
        let mut there = BTreeSet::new();
        loop {
            let page = self.to.stored_before(everything, after, BATCH).await?;
            there.extend(page.iter().copied());
            match page.last() {
                Some(reached) if *reached < last => after = Some(*reached),
                _ => break,
            }
        }
        let (present, missing): (Vec<_>, Vec<_>) = old.into_iter().partition(|id| there.contains(id));
        Ok(Some(MigrationBatch { missing, present: present.len(), last }))
    }

    /// Copies a file. Its bytes are compared with the hash that the database has of it before the new store shows it.
    ///
    /// # Errors
    /// What the stores fail with.
    pub async fn copy(&self, id: AttachmentId) -> Result<FileMigration> {
        let Some(inner) = self.from.open(id, None).await? else { return Ok(FileMigration::Gone) };
        let known = self.known(id).await?;
        let is_damaged = Arc::new(AtomicBool::new(false));
        let source = VerifiedSource {
            inner,
            hash: Sha256::new(),
            expected: known.as_ref().map(|known| known.sha256),
            is_damaged: Arc::clone(&is_damaged),
        };
        let claimed_type = known.map(|known| known.media_type);
        let upload = Upload { id, claimed_type, max_bytes: u64::MAX };
        match self.to.put(upload, Box::new(source)).await {
            Ok(stored) => Ok(FileMigration::Copied(stored.size)),
            Err(_) if is_damaged.load(Ordering::Relaxed) => Ok(FileMigration::Damaged),
            Err(error) => Err(error),
        }
    }

    /// What the database knows of a file. `None` for an orphan, and for a file that is being uploaded.
    async fn known(&self, id: AttachmentId) -> Result<Option<StoredObject>> {
        // First, since a file that is sent meanwhile goes from here to the messages.
        if let Some(upload) = self.uploads.find(id).await? {
            return Ok(Some(upload.attachment.object));
        }
        Ok(self.messages.find_attachment(id).await?.map(|record| record.attachment.object))
    }
}

/// Bytes that end in a failure when they are not the expected ones. An orphan has no hash.
struct VerifiedSource {
    inner: Box<dyn ByteSource>,
    hash: Sha256,
    expected: Option<[u8; 32]>,
    is_damaged: Arc<AtomicBool>,
}

#[async_trait]
impl ByteSource for VerifiedSource {
    async fn next_chunk(&mut self) -> Result<Option<Bytes>> {
        if let Some(piece) = self.inner.next_chunk().await? {
            self.hash.update(&piece);
            return Ok(Some(piece));
        }
        let found: [u8; 32] = std::mem::take(&mut self.hash).finalize().into();
        if self.expected.is_none_or(|expected| expected == found) {
            return Ok(None);
        }
        self.is_damaged.store(true, Ordering::Relaxed);
        Err(ChatError::internal("a stored file is damaged"))
    }
}
