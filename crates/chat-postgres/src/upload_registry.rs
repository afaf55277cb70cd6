//! `UploadRegistry`: the files that wait to be sent. The statements are in `uploads`.
//!
//! What changes here belongs to no position of a session, so it does not go through the writers.

use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::{AttachmentId, Timestamp, UnsentUpload, UploadQuota, UploadUsage, UserId};
use chat_domain::ports::UploadRegistry;
use diesel::prelude::*;

use crate::database::Database;
use crate::uploads;

/// Remembers the files that wait to be sent.
pub struct PgUploadRegistry {
    pub(crate) database: Arc<Database>,
}

#[async_trait]
impl UploadRegistry for PgUploadRegistry {
    async fn register(&self, upload: UnsentUpload, quota: UploadQuota) -> Result<()> {
        let register = move |connection: &mut PgConnection| {
            connection.transaction(|connection| uploads::register(connection, &upload, quota))
        };
        self.database.read(register).await?
    }

    async fn find(&self, id: AttachmentId) -> Result<Option<UnsentUpload>> {
        self.database.read(move |connection| uploads::find(connection, id)).await
    }

    async fn usage(&self, uploader: UserId) -> Result<UploadUsage> {
        self.database.read(move |connection| uploads::usage(connection, &uploader)).await
    }

    async fn remove(&self, id: AttachmentId, uploader: UserId) -> Result<bool> {
        let mut was_there = false;
        self.database.autocommit(move |connection| uploads::remove(connection, id, &uploader, &mut was_there)).await
    }

    async fn remove_expired(&self, before: Timestamp, limit: usize) -> Result<usize> {
        self.database.autocommit(move |connection| uploads::remove_expired(connection, before, limit)).await
    }
}
