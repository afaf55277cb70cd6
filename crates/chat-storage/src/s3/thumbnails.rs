//! Thumbnails beside the objects: what is lost of them is made again.

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::{AttachmentId, ThumbnailOutcome, ThumbnailSize};
use chat_domain::ports::ThumbnailStore;
use object_store::PutMode;
use object_store::path::Path;

use super::S3AttachmentStore;
use crate::thumbnail_text;

#[async_trait]
impl ThumbnailStore for S3AttachmentStore {
    async fn find(&self, id: AttachmentId, size: ThumbnailSize) -> Result<Option<ThumbnailOutcome>> {
        self.verified().await?;
        let found = self.client.small(self.client.location.thumbnail(id, size)).await;
        let found = found.map_err(|failure| failure.into_error("read a thumbnail"))?;
        Ok(found.and_then(|(written, _)| thumbnail_text::parse(&written)))
    }

    async fn save(&self, id: AttachmentId, size: ThumbnailSize, outcome: ThumbnailOutcome) -> Result<()> {
        self.verified().await?;
        let key = self.client.location.thumbnail(id, size);
        let written = thumbnail_text::pieces(&outcome).concat();
        let saved = self.client.put_small(key.clone(), written, PutMode::Overwrite).await;
        saved.map_err(|failure| failure.into_error("write a thumbnail"))?;
        // Asked last: a removal of the object that this does not see removes its thumbnails afterwards.
        let object = self.client.attributes(self.client.location.object(id)).await;
        match object.map_err(|failure| failure.into_error("look for an attachment"))? {
            Some(_) => Ok(()),
            None => self.remove_thumbnail(key).await,
        }
    }
}

impl S3AttachmentStore {
    /// Removes all that is kept of an object.
    pub(super) async fn remove_thumbnails(&self, id: AttachmentId) -> Result<()> {
        for size in ThumbnailSize::ALL {
            self.remove_thumbnail(self.client.location.thumbnail(id, size)).await?;
        }
        Ok(())
    }

    async fn remove_thumbnail(&self, key: Path) -> Result<()> {
        self.client.delete(key).await.map_err(|failure| failure.into_error("delete a thumbnail"))
    }
}
