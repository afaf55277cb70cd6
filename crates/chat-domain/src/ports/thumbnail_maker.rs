//! Making thumbnails.

use async_trait::async_trait;

use crate::error::Result;
use crate::model::{Attachment, Color, ThumbnailOutcome, ThumbnailSize};

/// Makes thumbnails of stored pictures: computation that takes long, within bounds of memory and time.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait ThumbnailMaker: Send + Sync {
    /// Makes the thumbnail of a picture, saves it in the thumbnail store and returns it. It MUST be turned as the picture
    /// says, MUST NOT be larger than the picture, and MUST NOT contain its metadata. That none can be made MUST be saved
    /// too.
    ///
    /// Concurrent calls for the same thumbnail MUST make it once, and it MUST be made and saved also when all its callers
    /// have gone. The caller's thread MUST NOT do the work.
    ///
    /// # Errors
    /// `Unavailable` when too many others are being made: nothing is saved, and another attempt makes sense. `Internal`
    /// when the bytes are missing from the attachment store, besides what that store fails with.
    async fn make(&self, picture: &Attachment, size: ThumbnailSize) -> Result<ThumbnailOutcome>;

    /// The dominant colour of a picture that was stored a moment ago: the one that most of what is not transparent comes
    /// close to. `None` when no thumbnail can be made of it, or all of it is transparent. What the decoding yields besides,
    /// its thumbnails, is saved as by [`Self::make`].
    ///
    /// A sender waits for it. So it MUST NOT wait for others to be made, and MUST return in less than a second; the work
    /// may go on.
    ///
    /// # Errors
    /// `Unavailable` when it could not begin at once or was not done in time, besides what [`Self::make`] fails with.
    async fn dominant_color(&self, picture: &Attachment) -> Result<Option<Color>>;
}
