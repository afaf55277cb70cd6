//! Where files are noted that were uploaded and are not sent yet.

use async_trait::async_trait;

use crate::error::Result;
use crate::model::{AttachmentId, Timestamp, UnsentUpload, UploadQuota, UploadUsage, UserId};

/// Remembers the files that wait to be sent. Their bytes are in the `AttachmentStore` before they are registered.
///
/// A message that is sent with such a file takes it out of the registry in its own transaction: see
/// `MessageRepository::append`. While it is registered, the file counts as known: `OrphanRegistry` neither marks nor
/// condemns it.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait UploadRegistry: Send + Sync {
    /// Registers a file, once. What its uploader has registered MUST NOT exceed the quota, whatever runs at the same
    /// time, on any node. If the file is marked as an orphan, the mark MUST be taken away in the same transaction.
    ///
    /// # Errors
    /// MUST fail, changing nothing: with `LimitReached(UnsentUploads)` when the quota does not admit the file; as
    /// `Unavailable` when the file is condemned (`OrphanRegistry`).
    async fn register(&self, upload: UnsentUpload, quota: UploadQuota) -> Result<()>;

    /// The file of that id, if it is registered.
    async fn find(&self, id: AttachmentId) -> Result<Option<UnsentUpload>>;

    /// How much a person has registered.
    async fn usage(&self, uploader: UserId) -> Result<UploadUsage>;

    /// Takes a file out, if this person registered it, and returns whether it was there. Of a removal and a message that
    /// is sent with the file at the same time one MUST succeed, and not both.
    async fn remove(&self, id: AttachmentId, uploader: UserId) -> Result<bool>;

    /// Takes out files that were uploaded before `before`, at most `limit`, the oldest first, and returns how many. Their
    /// bytes stay, and count as those of an orphan from then on. The same race as above has the same one winner.
    async fn remove_expired(&self, before: Timestamp, limit: usize) -> Result<usize>;
}
