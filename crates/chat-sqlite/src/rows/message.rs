//! Rows of `chat_messages`.

use chat_domain::model::{Attachment, ChatMessage, Fingerprint, IdempotencyKey, SessionId, Timestamp};
use chat_sql::{MessageRecord, to_db};
use diesel::prelude::*;

use crate::error::Failure;
use crate::schema::chat_messages;
use crate::values::{DbId, DbParty};

/// A message as it is read, without its files.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = chat_messages, check_for_backend(diesel::sqlite::Sqlite))]
pub(crate) struct MessageRow {
    pub(crate) seq: i64,
    id: DbId,
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
            id: self.id.0,
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

/// A message that was just sent.
#[derive(Insertable)]
#[diesel(table_name = chat_messages, treat_none_as_default_value = false)]
pub(crate) struct NewMessage<'a> {
    session_id: DbId,
    seq: i64,
    id: DbId,
    author_id: &'a str,
    sender: DbParty,
    content: &'a str,
    created_at: i64,
    delivered_at: Option<i64>,
    read_at: Option<i64>,
    attachment_count: i32,
    idempotency_key: Option<&'a str>,
    fingerprint: Option<&'a [u8]>,
}

impl<'a> NewMessage<'a> {
    pub(crate) fn new(message: &'a ChatMessage, key: Option<(&'a IdempotencyKey, &'a Fingerprint)>) -> Self {
        Self {
            session_id: message.session_id.into(),
            seq: to_db(message.seq.get()),
            id: message.id.into(),
            author_id: message.author.as_str(),
            sender: DbParty(message.sender),
            content: message.content.as_str(),
            created_at: message.sent_at.unix_ms(),
            delivered_at: message.delivery.delivered_at().map(Timestamp::unix_ms),
            read_at: message.delivery.read_at().map(Timestamp::unix_ms),
            attachment_count: i32::try_from(message.attachments.len()).unwrap_or(i32::MAX),
            idempotency_key: key.map(|(key, _)| key.as_str()),
            fingerprint: key.map(|(_, fingerprint)| fingerprint.as_bytes().as_slice()),
        }
    }
}
