//! Making thumbnails.

use async_trait::async_trait;

use crate::error::Result;
use crate::model::{AttachmentId, ThumbnailOutcome, ThumbnailSize};

/// Makes thumbnails of stored pictures: computation that takes long, within bounds of memory and time.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait ThumbnailMaker: Send + Sync {
    /// Makes the thumbnail of an object, saves it in the thumbnail store and returns it. It MUST be turned as the picture
    /// says, MUST NOT be larger than the picture, and MUST NOT contain its metadata. That none can be made MUST be saved
    /// too.
    ///
    /// Concurrent calls for the same thumbnail MUST make it once, and it MUST be made and saved also when all its callers
    /// have gone. The caller's thread MUST NOT do the work.
    ///
    /// # Errors
    /// `Unavailable` when too many others are being made: nothing is saved, and another attempt makes sense. `Internal`
    /// when the bytes are missing from the attachment store, besides what that store fails with.
    async fn make(&self, id: AttachmentId, size: ThumbnailSize) -> Result<ThumbnailOutcome>;
}
