//! Rows of `chat_messages`.

use chat_domain::model::{
    Attachment, ChatMessage, Content, Delivery, Fingerprint, Idempotency, SessionId, Timestamp, UserId,
};
use chat_sql::{moment_from_db, seq_from_db, to_db, valid};
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
    pub(crate) fn into_message(
        self,
        session_id: SessionId,
        attachments: Vec<Attachment>,
    ) -> Result<ChatMessage, Failure> {
        Ok(ChatMessage {
            id: self.id.into(),
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
    pub(crate) fn new(message: &'a ChatMessage, idempotency: Option<&'a Idempotency>) -> Self {
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
            idempotency_key: idempotency.map(|idempotency| idempotency.key.as_str()),
            fingerprint: idempotency.map(|idempotency| Fingerprint::as_bytes(&idempotency.fingerprint).as_slice()),
        }
    }
}
