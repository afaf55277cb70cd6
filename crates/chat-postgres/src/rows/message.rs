//! Rows of `chat_messages`.

use chat_domain::model::{Attachment, ChatMessage, SessionId};
use chat_sql::MessageRecord;
use diesel::prelude::*;
use uuid::Uuid;

use crate::error::Failure;
use crate::schema::chat_messages;
use crate::values::DbParty;

/// A message as it is read, without its files.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = chat_messages, check_for_backend(diesel::pg::Pg))]
pub(crate) struct MessageRow {
    pub(crate) seq: i64,
    id: Uuid,
    author_id: String,
    sender: DbParty,
    content: String,
    created_at: i64,
    delivered_at: Option<i64>,
    read_at: Option<i64>,
    pub(crate) attachment_count: i32,
}

impl MessageRow {
    pub(crate) fn into_record(self) -> MessageRecord {
        MessageRecord {
            seq: self.seq,
            id: self.id,
            sender: self.sender.0,
            author_id: self.author_id,
            content: self.content,
            created_at: self.created_at,
            delivered_at: self.delivered_at,
            read_at: self.read_at,
        }
    }

    pub(crate) fn into_message(
        self,
        session_id: SessionId,
        attachments: Vec<Attachment>,
    ) -> Result<ChatMessage, Failure> {
        Ok(self.into_record().into_message(session_id, attachments)?)
    }
}
