//! Messages in memory.

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::{
    AttachmentId, ChatMessage, MessageCursor, MessageId, MessagePage, MessageQuery, PageOutcome, SessionId,
    SessionSnapshot,
};
use chat_domain::ports::{AttachmentLookup, MessageLookup, MessageRepository};
use chat_domain::write::{SessionWrite, WriteReply};

use super::{MemorySession, MemoryStore};

#[async_trait]
impl MessageRepository for MemoryStore {
    async fn write(&self, write: SessionWrite) -> Result<WriteReply> {
        self.commit_one(write)
    }

    async fn page(&self, session: SessionId, query: MessageQuery) -> Result<Option<SessionSnapshot>> {
        let state = self.lock();
        let snapshot =
            |record: &MemorySession| SessionSnapshot { session: record.session.clone(), page: page_of(record, &query) };
        Ok(state.sessions.get(&session).map(snapshot))
    }

    async fn find(&self, session: SessionId, message: MessageId) -> Result<Option<MessageLookup>> {
        let state = self.lock();
        let found = |record: &MemorySession| MessageLookup {
            session: record.session.clone(),
            message: record.message(message).cloned(),
        };
        Ok(state.sessions.get(&session).map(found))
    }

    async fn find_attachment(&self, id: AttachmentId) -> Result<Option<AttachmentLookup>> {
        let state = self.lock();
        let Some((session, message)) = state.attachments.get(&id) else { return Ok(None) };
        let Some(record) = state.sessions.get(session) else { return Ok(None) };
        let attachments = record.message(*message).into_iter().flat_map(|message| &message.attachments);
        let found = attachments.into_iter().find(|attachment| attachment.id == id).cloned();
        Ok(found.map(|attachment| AttachmentLookup { attachment, session: record.session.clone() }))
    }

    async fn unknown_attachments(&self, ids: Vec<AttachmentId>) -> Result<Vec<AttachmentId>> {
        let state = self.lock();
        Ok(ids.into_iter().filter(|id| !state.knows_file(*id)).collect())
    }
}

fn page_of(record: &MemorySession, query: &MessageQuery) -> PageOutcome {
    if query.cursor == MessageCursor::Newest && query.known == Some(record.session.progress.last_seq) {
        return PageOutcome::Unchanged;
    }
    part_of(&record.messages, query).map_or(PageOutcome::NoSuchMessage, PageOutcome::Page)
}

fn part_of(messages: &[ChatMessage], query: &MessageQuery) -> Option<MessagePage> {
    let limit = query.limit.get() as usize;
    let position = |id: MessageId| messages.iter().position(|message| message.id == id);
    let (start, end, has_more) = match query.cursor {
        MessageCursor::After(id) => {
            let start = position(id)? + 1;
            let end = messages.len().min(start + limit);
            (start, end, end < messages.len())
        }
        MessageCursor::Newest | MessageCursor::Before(_) => {
            let end = match query.cursor {
                MessageCursor::Before(id) => position(id)?,
                MessageCursor::Newest | MessageCursor::After(_) => messages.len(),
            };
            let start = end.saturating_sub(limit);
            (start, end, start > 0)
        }
    };
    let messages = messages.iter().skip(start).take(end - start).cloned().collect();
    Some(MessagePage { messages, has_more })
}
