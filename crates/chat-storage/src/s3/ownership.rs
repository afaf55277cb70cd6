//! Who collects the objects: the object `collector` beside them.

use async_trait::async_trait;
use chat_domain::model::StoreOwner;
use chat_domain::ports::StoreOwnership;
use chat_domain::{ChatError, Result};
use object_store::path::Path;
use object_store::{PutMode, UpdateVersion};

use super::S3AttachmentStore;
use super::failure::S3Failure;
use super::reading::text;
use crate::owner_text::{parse, render};

const NAME: &str = "collector";

impl S3AttachmentStore {
    fn collector(&self) -> Path {
        self.client.location.key(NAME)
    }

    /// What stands there, and the version that it has.
    async fn read_owner(&self) -> Result<Option<(StoreOwner, Option<String>)>> {
        let read = self.client.small(self.collector()).await;
        let read = read.map_err(|failure| failure.into_error("read who collects the attachments"))?;
        let Some((bytes, tag)) = read else { return Ok(None) };
        let unknown = || ChatError::internal("the object `collector` among the attachments is not one of ours");
        let owner = parse(&text(&bytes)?).ok_or_else(unknown)?;
        Ok(Some((owner, tag)))
    }
}

#[async_trait]
impl StoreOwnership for S3AttachmentStore {
    async fn owner(&self) -> Result<Option<StoreOwner>> {
        self.verified().await?;
        Ok(self.read_owner().await?.map(|(owner, _)| owner))
    }

    /// Of several processes that see the same and write at the same moment, S3 lets one win.
    async fn replace(&self, expected: Option<StoreOwner>, owner: StoreOwner) -> Result<bool> {
        self.verified().await?;
        let found = self.read_owner().await?;
        if found.as_ref().map(|(found, _)| found) != expected.as_ref() {
            return Ok(false);
        }
        let mode = match found {
            None => PutMode::Create,
            Some((_, tag)) => PutMode::Update(UpdateVersion { e_tag: tag, version: None }),
        };
        match self.client.put_small(self.collector(), render(&owner), mode).await {
            Ok(()) => Ok(true),
            // Another process was faster, or the response to the first attempt was lost.
            Err(S3Failure::Condition) => Ok(self.read_owner().await?.is_some_and(|(found, _)| found == owner)),
            Err(failure) => Err(failure.into_error("write who collects the attachments")),
        }
    }
}
