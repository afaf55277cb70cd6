//! `MessageRepository`: where messages are kept. What a write does is in `session_store`.

use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::{AttachmentId, MessageId, MessageQuery, SessionId, SessionSnapshot};
use chat_domain::ports::{AttachmentLookup, MessageLookup, MessageRepository};
use chat_domain::write::{SessionWrite, WriteReply};

use crate::database::Database;
use crate::{collect_orphans, download_attachment, get_message, get_messages};

/// Keeps messages.
pub struct SqliteMessageRepository {
    pub(crate) database: Arc<Database>,
}

#[async_trait]
impl MessageRepository for SqliteMessageRepository {
    async fn write(&self, write: SessionWrite) -> Result<WriteReply> {
        self.database.writer.write(write).await
    }

    async fn page(&self, session: SessionId, query: MessageQuery) -> Result<Option<SessionSnapshot>> {
        self.database.read_snapshot(move |connection| get_messages::page(connection, session, query)).await
    }

    async fn find(&self, session: SessionId, message: MessageId) -> Result<Option<MessageLookup>> {
        self.database.read_snapshot(move |connection| get_message::find(connection, session, message)).await
    }

    async fn find_attachment(&self, id: AttachmentId) -> Result<Option<AttachmentLookup>> {
        self.database.read_snapshot(move |connection| download_attachment::find(connection, id)).await
    }

    async fn unknown_attachments(&self, ids: Vec<AttachmentId>) -> Result<Vec<AttachmentId>> {
        self.database.read_snapshot(move |connection| Ok(collect_orphans::unknown(connection, &ids)?)).await
    }
}
