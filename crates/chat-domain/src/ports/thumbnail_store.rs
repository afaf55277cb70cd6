//! Where thumbnails lie.

use async_trait::async_trait;

use crate::error::Result;
use crate::model::{AttachmentId, ThumbnailOutcome, ThumbnailSize};

/// Keeps what became of thumbnails, beside the bytes of their attachments. What it loses is made again.
///
/// When the attachment store deletes an object, what is kept of its thumbnails MUST go too. If that fails, the object MUST
/// still be there, so that the removal can be tried again. Thumbnails MUST NOT be among the objects that it lists.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait ThumbnailStore: Send + Sync {
    /// What was saved; `None` when nothing was, or when it is damaged.
    async fn find(&self, id: AttachmentId, size: ThumbnailSize) -> Result<Option<ThumbnailOutcome>>;

    /// Keeps an outcome in the place of an earlier one. Concurrent readers MUST see one of the two, whole. Of an object
    /// that is not stored, nothing MUST be kept.
    ///
    /// # Errors
    /// What the store fails with. Then the earlier outcome, or nothing, is kept.
    async fn save(&self, id: AttachmentId, size: ThumbnailSize, outcome: ThumbnailOutcome) -> Result<()>;
}
