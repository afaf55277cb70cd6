//! Making thumbnails.

use async_trait::async_trait;

use crate::error::Result;
use crate::model::{Attachment, Color, ThumbnailOutcome, ThumbnailSize, UserId};

/// Makes thumbnails of stored pictures: computation that takes long, within bounds of memory and time.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait ThumbnailMaker: Send + Sync {
    /// Makes the thumbnail of a picture, saves it in the thumbnail store and returns it. It MUST be turned as the picture
    /// says, MUST NOT be larger than the picture, and MUST NOT contain its metadata. That none can be made MUST be saved
    /// too.
    ///
    /// Concurrent calls for the same thumbnail MUST make it once, and it MUST be made and saved also when all its callers
    /// have gone. The caller's thread MUST NOT do the work. `who` asks: of the pictures that are being made or wait for it,
    /// one person MUST be able to begin only a part, so that there is room for others.
    ///
    /// # Errors
    /// `Unavailable` when too many others are being made, for `who` or for all: nothing is saved, and another attempt makes
    /// sense. `DamagedFile` when the attachment store has other bytes than were stored, which MUST be logged, and seldom;
    /// `Internal` when it has none, as of an upload that was taken back; besides what that store fails with.
    async fn make(&self, who: &UserId, picture: &Attachment, size: ThumbnailSize) -> Result<ThumbnailOutcome>;

    /// The dominant colour of a picture that was stored a moment ago: the colour to which most of what is not
    /// transparent comes close. `None` when no thumbnail can be made of it, or all of it is transparent. What the
    /// decoding yields besides, its thumbnails, is saved as by [`Self::make`].
    ///
    /// Its sender `who` waits for it, so it MUST return in less than a second, however many others are being made; within
    /// that time it waits for them. Work that has begun may go on.
    ///
    /// # Errors
    /// `Unavailable` when it was not done in time, besides what [`Self::make`] fails with.
    async fn dominant_color(&self, who: &UserId, picture: &Attachment) -> Result<Option<Color>>;
}
