//! `MessageRepository`: where messages are kept. What a write does is in `session_store`.

use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::{AttachmentId, MessageId, MessageQuery, PageOutcome, SessionId, SessionSnapshot};
use chat_domain::ports::{AttachmentLookup, MessageLookup, MessageRepository};
use chat_domain::write::{SessionWrite, WriteReply};

use crate::database::Database;
use crate::{collect_orphans, download_attachment, get_message, get_messages};

/// Keeps messages.
pub struct PgMessageRepository {
    pub(crate) database: Arc<Database>,
}

#[async_trait]
impl MessageRepository for PgMessageRepository {
    async fn write(&self, write: SessionWrite) -> Result<WriteReply> {
        self.database.write(write).await
    }

    async fn page(&self, session: SessionId, query: MessageQuery) -> Result<Option<SessionSnapshot>> {
        let reads = async {
            let Some(session) = self.database.sessions.find(session).await? else { return Ok(None) };
            if get_messages::is_known(&session, &query) {
                return Ok(Some(SessionSnapshot { session, page: PageOutcome::Unchanged }));
            }
            let read = move |connection: &mut _| {
                let page = get_messages::page(connection, &session, &query)?;
                Ok(Some(SessionSnapshot { session: session.clone(), page }))
            };
            self.database.read(read).await
        };
        self.database.together(reads).await
    }

    async fn find(&self, session: SessionId, message: MessageId) -> Result<Option<MessageLookup>> {
        let reads = async {
            let Some(session) = self.database.sessions.find(session).await? else { return Ok(None) };
            let read = move |connection: &mut _| get_message::find(connection, session.id, message);
            let message = self.database.read(read).await?;
            Ok(Some(MessageLookup { session, message }))
        };
        self.database.together(reads).await
    }

    async fn find_attachment(&self, id: AttachmentId) -> Result<Option<AttachmentLookup>> {
        self.database.read_snapshot(move |connection| download_attachment::find(connection, id)).await
    }

    async fn unknown_attachments(&self, ids: Vec<AttachmentId>) -> Result<Vec<AttachmentId>> {
        self.database.read(move |connection| Ok(collect_orphans::unknown(connection, &ids)?)).await
    }
}
