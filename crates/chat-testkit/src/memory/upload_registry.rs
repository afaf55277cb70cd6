//! Files that wait to be sent, in memory.

use async_trait::async_trait;
use chat_domain::error::LimitReached;
use chat_domain::model::{AttachmentId, Timestamp, UnsentUpload, UploadQuota, UploadUsage, UserId};
use chat_domain::ports::UploadRegistry;
use chat_domain::{ChatError, Result};

use super::{MemoryState, MemoryStore};

impl MemoryState {
    /// Whether a file belongs to a message or waits to be sent.
    pub(super) fn knows_file(&self, id: AttachmentId) -> bool {
        self.attachments.contains_key(&id) || self.uploads.contains_key(&id)
    }

    fn upload_usage(&self, uploader: &UserId) -> UploadUsage {
        let own = self.uploads.values().filter(|upload| upload.uploader == *uploader);
        own.fold(UploadUsage::default(), |usage, upload| UploadUsage {
            files: usage.files + 1,
            bytes: usage.bytes + upload.attachment.object.size,
        })
    }
}

#[async_trait]
impl UploadRegistry for MemoryStore {
    async fn register(&self, upload: UnsentUpload, quota: UploadQuota) -> Result<()> {
        let mut state = self.lock();
        let id = upload.attachment.id;
        if state.orphans.is_condemned(id) == Some(true) {
            return Err(ChatError::unavailable("attachments: the uploaded file has been collected"));
        }
        let usage = state.upload_usage(&upload.uploader);
        LimitReached::check_uploads(quota, usage, upload.attachment.object.size)?;
        state.orphans.unmark(id);
        state.uploads.insert(id, upload);
        Ok(())
    }

    async fn find(&self, id: AttachmentId) -> Result<Option<UnsentUpload>> {
        Ok(self.lock().uploads.get(&id).cloned())
    }

    async fn usage(&self, uploader: UserId) -> Result<UploadUsage> {
        Ok(self.lock().upload_usage(&uploader))
    }

    async fn remove(&self, id: AttachmentId, uploader: UserId) -> Result<bool> {
        let mut state = self.lock();
        let is_own = state.uploads.get(&id).is_some_and(|upload| upload.uploader == uploader);
        Ok(is_own && state.uploads.remove(&id).is_some())
    }

    async fn remove_expired(&self, before: Timestamp, limit: usize) -> Result<usize> {
        let mut state = self.lock();
        let mut expired: Vec<(Timestamp, AttachmentId)> = state
            .uploads
            .values()
            .filter(|upload| upload.uploaded_at < before)
            .map(|upload| (upload.uploaded_at, upload.attachment.id))
            .collect();
        expired.sort_unstable();
        expired.truncate(limit);
        for (_, id) in &expired {
            state.uploads.remove(id);
        }
        Ok(expired.len())
    }
}
