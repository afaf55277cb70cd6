//! Get the thumbnail of an attachment.

use super::ChatService;
use crate::error::{ChatError, Input, Resource, Result};
use crate::model::{AttachmentId, Principal, Thumbnail, ThumbnailOutcome, ThumbnailSize};

impl ChatService {
    /// The thumbnail of an attachment, for those who may download the attachment. It is made when it is asked for the
    /// first time.
    ///
    /// # Errors
    /// `NotFound(Thumbnail)` when there is none of this attachment, besides what downloading it is refused with.
    pub async fn get_thumbnail(
        &self,
        who: &Principal,
        id: AttachmentId,
        size: Input<ThumbnailSize>,
    ) -> Result<Thumbnail> {
        let attachment = self.download_attachment(who, id).await?.attachment;
        let size = size?;
        let missing = ChatError::NotFound(Resource::Thumbnail);
        if !attachment.object.may_have_thumbnail() {
            return Err(missing);
        }
        let outcome = match self.ports.thumbnails.find(id, size).await? {
            Some(saved) => saved,
            None => match self.ports.thumbnail_maker.make(&who.id, &attachment, size).await {
                Ok(made) => made,
                Err(error) => {
                    // A file that waits to be sent may have been taken back meanwhile.
                    self.download_attachment(who, id).await?;
                    return Err(error);
                }
            },
        };
        match outcome {
            ThumbnailOutcome::Made(thumbnail) => Ok(thumbnail),
            ThumbnailOutcome::Impossible => Err(missing),
        }
    }
}
