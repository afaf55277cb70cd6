//! `MessageRepository`: where messages are kept. Each method's work is in the file of its use case.

use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::{
    AttachmentId, MessageDraft, MessageId, MessageQuery, Principal, Receipt, Seq, SessionId, SessionSnapshot, Timestamp,
};
use chat_domain::ports::{Appended, AttachmentRecord, MessageRepository};

use crate::database::Database;
use crate::{
    collect_orphans, download_attachment, get_messages, mark_delivered, mark_read, mark_read_up_to, send_message,
};

/// Keeps messages.
pub struct SqliteMessageRepository {
    pub(crate) database: Arc<Database>,
}

#[async_trait]
impl MessageRepository for SqliteMessageRepository {
    async fn append(&self, draft: MessageDraft) -> Result<Appended> {
        self.database.write(move |unit| send_message::append(unit, &draft)).await
    }

    async fn page(&self, session: SessionId, query: MessageQuery) -> Result<Option<SessionSnapshot>> {
        self.database.read_snapshot(move |connection| get_messages::page(connection, session, query)).await
    }

    async fn mark_read(
        &self,
        session: SessionId,
        reader: Principal,
        messages: Vec<MessageId>,
        at: Timestamp,
    ) -> Result<Option<Receipt>> {
        self.database.write(move |unit| mark_read::mark_read(unit, session, &reader, &messages, at)).await
    }

    async fn mark_read_up_to(
        &self,
        session: SessionId,
        reader: Principal,
        up_to: Seq,
        at: Timestamp,
    ) -> Result<Option<Receipt>> {
        self.database.write(move |unit| mark_read_up_to::mark_read_up_to(unit, session, &reader, up_to, at)).await
    }

    async fn mark_delivered(
        &self,
        session: SessionId,
        receiver: Principal,
        up_to: Seq,
        at: Timestamp,
    ) -> Result<Option<Receipt>> {
        self.database.write(move |unit| mark_delivered::mark_delivered(unit, session, &receiver, up_to, at)).await
    }

    async fn find_attachment(&self, id: AttachmentId) -> Result<Option<AttachmentRecord>> {
        self.database.read_snapshot(move |connection| download_attachment::find(connection, id)).await
    }

    async fn unknown_attachments(&self, ids: Vec<AttachmentId>) -> Result<Vec<AttachmentId>> {
        self.database.read_snapshot(move |connection| Ok(collect_orphans::unknown(connection, &ids)?)).await
    }
}
