//! Messages on the wire.

use chat_domain::error::{Input, Invalid};
use chat_domain::model::{
    ChatMessage, ChatSession, DeliveryStatus, MAX_RECEIPT_MESSAGES, MessageId, MessagePage, Party, Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AttachmentDto;
use super::wire::display;
use crate::request::BaseUrl;

/// Which side wrote a message.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Sender)]
pub(crate) enum SenderDto {
    User,
    Support,
}

impl From<Party> for SenderDto {
    fn from(party: Party) -> Self {
        match party {
            Party::User => Self::User,
            Party::Support => Self::Support,
        }
    }
}

/// How far a message has come. `sending` and `failed` belong to clients; the server never answers them.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = MessageStatus)]
pub(crate) enum StatusDto {
    Sent,
    Delivered,
    Read,
}

impl From<DeliveryStatus> for StatusDto {
    fn from(status: DeliveryStatus) -> Self {
        match status {
            DeliveryStatus::Sent => Self::Sent,
            DeliveryStatus::Delivered => Self::Delivered,
            DeliveryStatus::Read => Self::Read,
        }
    }
}

/// A message as it stands in its session.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChatMessage)]
pub(crate) struct MessageDto<'a> {
    /// Opaque.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, example = "019370d1-2f6c-7b21-b7a4-93a1c5a0e3f2")]
    id: MessageId,
    /// Up to 10,000 characters; may be empty beside attachments.
    #[schema(example = "Where is my parcel?")]
    content: &'a str,
    sender: SenderDto,
    /// RFC 3339 in UTC with milliseconds.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = DateTime, example = "2026-01-31T09:05:02.007Z")]
    timestamp: Timestamp,
    /// Whether the other side has read it.
    #[schema(example = false)]
    read: bool,
    status: StatusDto,
    /// Absent when there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    attachments: Vec<AttachmentDto<'a>>,
}

impl<'a> MessageDto<'a> {
    pub(crate) fn new(message: &'a ChatMessage, base: &BaseUrl) -> Self {
        let status = message.delivery.status();
        Self {
            id: message.id,
            content: message.content.as_str(),
            sender: message.sender.into(),
            timestamp: message.sent_at,
            read: status == DeliveryStatus::Read,
            status: status.into(),
            attachments: message.attachments.iter().map(|file| AttachmentDto::new(file, base)).collect(),
        }
    }
}

/// A page of messages, oldest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ChatMessagePage)]
pub(crate) struct MessagePageDto<'a> {
    messages: Vec<MessageDto<'a>>,
    /// How many messages the session has.
    #[schema(example = 1)]
    total_count: u64,
    /// Whether there are older messages; with `after`, whether there are newer ones.
    #[schema(example = false)]
    has_more: bool,
}

impl<'a> MessagePageDto<'a> {
    pub(crate) fn new(session: &ChatSession, page: &'a MessagePage, base: &BaseUrl) -> Self {
        Self {
            messages: page.messages.iter().map(|message| MessageDto::new(message, base)).collect(),
            total_count: session.progress.message_count,
            has_more: page.has_more,
        }
    }
}

/// A message without files.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = SendChatMessage)]
pub(crate) struct SendMessageBody {
    /// Up to 10,000 characters, not blank.
    #[schema(required, nullable = false, example = "Where is my parcel?")]
    content: Option<String>,
}

impl SendMessageBody {
    pub(crate) fn parse(self) -> Input<String> {
        self.content.ok_or_else(|| Invalid::new("content", "is required"))
    }
}

/// A message with files. Files are ordered by their index, gaps are allowed; `attachments` and `attachments[]` are
/// taken too.
#[derive(ToSchema)]
#[schema(as = SendChatMessageWithFiles)]
#[expect(dead_code, reason = "describes a form that is read as a stream, field by field")]
pub(crate) struct MultipartMessageBody {
    /// Up to 10,000 characters; may be left out.
    #[schema(example = "Here is the receipt.")]
    content: Option<String>,
    /// The first file.
    #[schema(rename = "attachments[0]", value_type = String, format = Binary)]
    attachment: String,
}

/// Which messages were read.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = MarkMessagesRead)]
pub(crate) struct ReadBody {
    /// Up to 1,000 ids of messages of this session. One's own are ignored.
    #[schema(required, nullable = false, max_items = 1000, example = json!(["019370d1-2f6c-7b21-b7a4-93a1c5a0e3f2"]))]
    message_ids: Option<Vec<String>>,
}

impl ReadBody {
    pub(crate) fn parse(self) -> Input<Vec<MessageId>> {
        let ids = self.message_ids.ok_or_else(|| Invalid::new("messageIds", "is required"))?;
        if ids.len() > MAX_RECEIPT_MESSAGES {
            return Err(Invalid::new("messageIds", "must have at most 1000 entries"));
        }
        // Repetitions are kept, so that a wrong id is named by its place in what the caller sent.
        let parse = |(index, id): (usize, &String)| {
            let rule = "must be the id of a message of this session";
            MessageId::parse(id).ok_or_else(|| Invalid::new(format!("messageIds[{index}]"), rule))
        };
        ids.iter().enumerate().map(parse).collect()
    }
}

/// Whether the caller is typing.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SendTyping)]
pub(crate) struct TypingBody {
    #[schema(required, nullable = false, example = true)]
    is_typing: Option<bool>,
}

impl TypingBody {
    pub(crate) fn parse(self) -> Input<bool> {
        self.is_typing.ok_or_else(|| Invalid::new("isTyping", "is required"))
    }
}
