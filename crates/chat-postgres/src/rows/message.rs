//! Rows of `chat_messages`.

use chat_domain::model::{Attachment, ChatMessage, Content, Delivery, MessageId, SessionId, Timestamp, UserId};
use chat_sql::{moment_from_db, seq_from_db, valid};
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
    pub(crate) fn into_message(
        self,
        session_id: SessionId,
        attachments: Vec<Attachment>,
    ) -> Result<ChatMessage, Failure> {
        Ok(ChatMessage {
            id: MessageId::new(self.id),
            session_id,
            seq: seq_from_db("chat_messages.seq", self.seq)?,
            author: valid("chat_messages.author_id", UserId::parse(&self.author_id))?,
            sender: self.sender.0,
            content: Content::from_store(self.content),
            sent_at: Timestamp::from_unix_ms(self.created_at),
            delivery: Delivery::from_moments(moment_from_db(self.delivered_at), moment_from_db(self.read_at)),
            attachments,
        })
    }
}
