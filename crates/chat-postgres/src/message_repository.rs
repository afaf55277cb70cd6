//! `MessageRepository`: where messages are kept. Each method's work is in the file of its use case.

use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::{
    AttachmentId, MessageDraft, MessageId, MessageQuery, PageRead, Principal, Receipt, Seq, SessionId, SessionSnapshot,
    Timestamp,
};
use chat_domain::ports::{Appended, AttachmentRecord, MessageRepository};

use crate::database::Database;
use crate::unit_of_work::Need;
use crate::{
    collect_orphans, download_attachment, get_messages, mark_delivered, mark_read, mark_read_up_to, send_message,
};

/// Keeps messages.
pub struct PgMessageRepository {
    pub(crate) database: Arc<Database>,
}

#[async_trait]
impl MessageRepository for PgMessageRepository {
    async fn append(&self, draft: MessageDraft) -> Result<Appended> {
        let (session, need) = (draft.session_id, Need::of(&draft));
        self.database.write(session, need, move |unit| send_message::append(unit, &draft)).await
    }

    async fn page(&self, session: SessionId, query: MessageQuery) -> Result<Option<SessionSnapshot>> {
        let reads = async {
            let Some(session) = self.database.sessions.find(session).await? else { return Ok(None) };
            if get_messages::is_known(&session, &query) {
                return Ok(Some(SessionSnapshot { session, page: PageRead::Unchanged }));
            }
            let read = move |connection: &mut _| {
                let page = get_messages::page(connection, &session, &query)?;
                Ok(Some(SessionSnapshot { session: session.clone(), page }))
            };
            self.database.read(read).await
        };
        self.database.together(reads).await
    }

    async fn mark_read(
        &self,
        session: SessionId,
        reader: Principal,
        messages: Vec<MessageId>,
        at: Timestamp,
    ) -> Result<Option<Receipt>> {
        let need = Need::Session { id: session, by: reader.clone() };
        let work = move |unit: &mut _| mark_read::mark_read(unit, session, &reader, &messages, at);
        self.database.write(session, need, work).await
    }

    async fn mark_read_up_to(
        &self,
        session: SessionId,
        reader: Principal,
        up_to: Seq,
        at: Timestamp,
    ) -> Result<Option<Receipt>> {
        let need = Need::Session { id: session, by: reader.clone() };
        let work = move |unit: &mut _| mark_read_up_to::mark_read_up_to(unit, session, &reader, up_to, at);
        self.database.write(session, need, work).await
    }

    async fn mark_delivered(
        &self,
        session: SessionId,
        receiver: Principal,
        up_to: Seq,
        at: Timestamp,
    ) -> Result<Option<Receipt>> {
        let need = Need::Session { id: session, by: receiver.clone() };
        let work = move |unit: &mut _| mark_delivered::mark_delivered(unit, session, &receiver, up_to, at);
        self.database.write(session, need, work).await
    }

    async fn find_attachment(&self, id: AttachmentId) -> Result<Option<AttachmentRecord>> {
        self.database.read_snapshot(move |connection| download_attachment::find(connection, id)).await
    }

    async fn unknown_attachments(&self, ids: Vec<AttachmentId>) -> Result<Vec<AttachmentId>> {
        self.database.read(move |connection| Ok(collect_orphans::unknown(connection, &ids)?)).await
    }
}
