//! Messages on the wire.

use actix_web::web::Bytes;
use chat_domain::error::{FieldPath, Input, Invalid};
use chat_domain::model::{
    AttachmentId, ChatMessage, DeliveryStatus, KnownPeople, MAX_RECEIPT_MESSAGES, MessageId, Party, Seq, Timestamp,
};
use chat_domain::service::{MessageContent, ReadMessages};
use chat_domain::write::UNSENT_UPLOAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::page_body::PageBody;
use super::wire::display;
use super::{AttachmentDto, PersonDto};
use crate::base_url::BaseUrl;

/// Which side wrote a message.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Sender)]
pub(crate) enum SenderDto {
    /// The customer.
    User,
    /// The support desk.
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

/// How far a message has come. `sending` and `failed` belong to clients; the server never returns them.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = MessageStatus)]
pub(crate) enum StatusDto {
    /// Stored.
    Sent,
    /// It has reached a device of the other side.
    Delivered,
    /// The other side has read it.
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
    /// The position of the message among the session's events. Absent in base mode of the socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false, example = 17)]
    seq: Option<u64>,
    /// Up to 10,000 characters; may be empty beside attachments.
    #[schema(max_length = 10_000, example = "Where is my parcel?")]
    content: &'a str,
    /// Which side wrote it.
    sender: SenderDto,
    /// Who wrote it, as they are known now or were when they did. Absent in base mode of the socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    author: Option<PersonDto<'a>>,
    /// RFC 3339 in UTC with milliseconds.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = DateTime, example = "2026-01-31T09:05:02.007Z")]
    timestamp: Timestamp,
    /// Whether the other side has read it.
    #[schema(example = false)]
    read: bool,
    /// How far it has come.
    status: StatusDto,
    /// Absent when there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    attachments: Vec<AttachmentDto<'a>>,
}

impl<'a> MessageDto<'a> {
    pub(crate) fn new(message: &'a ChatMessage, base: &BaseUrl, people: &'a KnownPeople) -> Self {
        let status = message.delivery.status();
        Self {
            id: message.id,
            seq: Some(message.seq.get()),
            content: message.content.as_str(),
            sender: message.sender.into(),
            author: Some(PersonDto::new(&message.author, people)),
            timestamp: message.sent_at,
            read: status == DeliveryStatus::Read,
            status: status.into(),
            attachments: message.attachments.iter().map(|file| AttachmentDto::new(file, base)).collect(),
        }
    }

    /// The message as the API's first description has it, for base mode of the socket.
    pub(crate) fn plain(self) -> Self {
        Self { seq: None, author: None, ..self }
    }
}

// Describes what `MessagesJson::page` writes; a test compares the two.
/// A page of messages, oldest first.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ChatMessagePage)]
pub(crate) struct MessagePageDto<'a> {
    /// At most 100, oldest first.
    #[schema(max_items = 100)]
    messages: Vec<MessageDto<'a>>,
    /// How many messages the session has.
    #[schema(example = 1)]
    total_count: u64,
    /// Whether there are older messages; with `after`, whether there are newer ones.
    #[schema(example = false)]
    has_more: bool,
}

/// Messages in the order of their page, each written once. Every page that ends with the newest of them is a tail of
/// the same bytes, which are shared and not copied.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct MessagesJson {
    /// The items of a JSON array, with the commas between them.
    items: Bytes,
    /// Where each item starts.
    starts: Box<[usize]>,
}

impl MessagesJson {
    /// About how many bytes a message has besides its text, and a file in it.
    const FRAME: usize = 256;

    /// Writes messages one by one, without a second form of them in memory.
    pub(crate) fn write(messages: &[ChatMessage], base: &BaseUrl, people: &KnownPeople) -> serde_json::Result<Self> {
        let size = |message: &ChatMessage| {
            message.content.as_str().len() + Self::FRAME + message.attachments.len() * (Self::FRAME + base.len())
        };
        let mut items = Vec::with_capacity(messages.iter().map(size).sum());
        let mut starts = Vec::with_capacity(messages.len());
        for message in messages {
            if !items.is_empty() {
                items.push(b',');
            }
            starts.push(items.len());
            serde_json::to_writer(&mut items, &MessageDto::new(message, base, people))?;
        }
        Ok(Self { items: items.into_boxed_slice().into(), starts: starts.into_boxed_slice() })
    }

    /// How many messages there are.
    pub(crate) fn len(&self) -> usize {
        self.starts.len()
    }

    /// How many bytes it holds on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.items.len() + size_of_val(&*self.starts)
    }

    /// The body of the page of the newest `limit` messages, or of all when there are fewer.
    pub(crate) fn page(&self, limit: usize, total_count: u64, has_more: bool) -> PageBody {
        let skipped = self.len().saturating_sub(limit);
        let start = self.starts.get(skipped).copied().unwrap_or(self.items.len());
        let tail = format!("],\"totalCount\":{total_count},\"hasMore\":{has_more}}}");
        PageBody::new([Bytes::from_static(br#"{"messages":["#), self.items.slice(start..), tail.into()])
    }
}

/// A message, and the files that were uploaded for it before.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SendChatMessage)]
pub(crate) struct SendMessageBody {
    /// Up to 10,000 characters. It may be blank, or left out, only beside files.
    #[schema(
        required = false,
        nullable = false,
        min_length = 1,
        max_length = 10_000,
        pattern = r"^[^\x00]*[^\x00\s][^\x00]*$",
        example = "Where is my parcel?"
    )]
    content: Option<String>,
    /// Files that the caller has uploaded to this session and not sent yet, in this order. By default at most 10, of 50 MiB together.
    #[schema(value_type = Vec<String>, required = false, nullable = false, max_items = 10)]
    attachment_ids: Option<Value>,
    /// What the message has no field for. It is ignored, except where a client hopes to send a file so.
    #[serde(flatten)]
    #[schema(ignore)]
    unknown: Map<String, Value>,
}

impl SendMessageBody {
    pub(crate) fn parse(self) -> Input<MessageContent> {
        // A client that encodes an upload as JSON would lose the file, and learn of it from the one who waits for it.
        if let Some(field) = self.unknown.into_iter().map(|(name, _)| name).find(|name| name.starts_with("attachment"))
        {
            return Err(Invalid::new(
                // A name may be as long as the body.
                field.chars().take(64).collect::<String>(),
                "is no field of a message: files are sent in a body of the type multipart/form-data, or uploaded before and named in \
                 attachmentIds",
            ));
        }
        let uploads = self.attachment_ids.map_or_else(|| Ok(Vec::new()), upload_ids)?;
        let text = match self.content {
            None if uploads.is_empty() => return Err(Invalid::new("content", "is required")),
            text => text.unwrap_or_default(),
        };
        Ok(MessageContent { text, uploads })
    }
}

/// Read by hand: behind a flattened field the parser no longer knows where in the body it is.
fn upload_ids(value: Value) -> Input<Vec<AttachmentId>> {
    let Value::Array(ids) = value else { return Err(Invalid::new(FieldPath::ATTACHMENT_IDS, "must be a list")) };
    let parse = |(index, id): (u64, &Value)| {
        let id = id.as_str().and_then(AttachmentId::parse);
        id.ok_or_else(|| Invalid::new(FieldPath::ATTACHMENT_IDS.at(index), UNSENT_UPLOAD))
    };
    (0..).zip(&ids).map(parse).collect()
}

/// Which messages were read: `messageIds` or `upToSeq`, and not both.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = MarkMessagesRead, example = json!({ "messageIds": ["019370d1-2f6c-7b21-b7a4-93a1c5a0e3f2"] }))]
pub(crate) struct ReadBody {
    /// Up to 1,000 ids of messages of this session. One's own are ignored.
    #[schema(nullable = false, max_items = 1000, example = json!(["019370d1-2f6c-7b21-b7a4-93a1c5a0e3f2"]))]
    message_ids: Option<Vec<String>>,
    /// All messages up to this position of the session's events, which must not be ahead of the newest one. It is written
    /// without a fraction or an exponent: `17`, not `17.0`.
    #[schema(nullable = false, minimum = 0, maximum = 9_223_372_036_854_775_807_u64, example = 17)]
    up_to_seq: Option<u64>,
}

impl ReadBody {
    pub(crate) fn parse(self) -> Input<ReadMessages> {
        let ids = match (self.message_ids, self.up_to_seq) {
            (Some(ids), None) => ids,
            (None, Some(up_to)) => return Ok(ReadMessages::UpTo(Seq::new(up_to))),
            (Some(_), Some(_)) => {
                return Err(Invalid::new(ReadMessages::UP_TO, "must not be given together with messageIds"));
            }
            (None, None) => return Err(Invalid::new(FieldPath::MESSAGE_IDS, "is required, or else upToSeq")),
        };
        if ids.len() > MAX_RECEIPT_MESSAGES {
            return Err(Invalid::new(FieldPath::MESSAGE_IDS, "must have at most 1000 entries"));
        }
        // Repetitions are kept, so that a wrong id is named by its place in what the caller sent.
        let parse = |(index, id): (u64, &String)| {
            let rule = "must be the id of a message of this session";
            MessageId::parse(id).ok_or_else(|| Invalid::new(FieldPath::MESSAGE_IDS.at(index), rule))
        };
        (0..).zip(&ids).map(parse).collect::<Input<_>>().map(ReadMessages::Named)
    }
}

/// Whether the caller is typing.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SendTyping)]
pub(crate) struct TypingBody {
    /// `true` when the caller starts or goes on, `false` when they stop.
    #[schema(required, nullable = false, example = true)]
    is_typing: Option<bool>,
}

impl TypingBody {
    pub(crate) fn parse(self) -> Input<bool> {
        self.is_typing.ok_or_else(|| Invalid::new("isTyping", "is required"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chat_domain::model::{Content, Delivery, Person, PersonName, UserId};
    use chat_testkit::fixtures::{alice, attachment, message_id, session_id, start};

    use super::*;

    fn message(n: u64, content: &str, delivery: Delivery) -> ChatMessage {
        ChatMessage {
            id: message_id(n),
            session_id: session_id(1),
            seq: Seq::new(n),
            author: alice().id,
            sender: Party::User,
            content: Content::from_store(content.to_owned()),
            sent_at: start(),
            delivery,
            attachments: (1..n).map(|file| attachment(file, b"bytes")).collect(),
        }
    }

    fn known(id: &str, name: &str) -> Arc<Person> {
        Arc::new(Person { id: UserId::parse(id).unwrap(), name: PersonName::parse(name).ok(), avatar_url: None })
    }

    #[test]
    fn a_page_is_what_the_schema_describes_for_every_limit() {
        let at = start();
        let all = [
            message(1, "\"quoted\", \\ and \u{1}", Delivery::Read { delivered_at: at, at }),
            message(2, "", Delivery::Delivered { at }),
            message(3, "],\u{1f600}\u{2028}", Delivery::Sent),
        ];
        let base = BaseUrl::default();
        let people = KnownPeople::new([known("alice", "Alice \"A\"")]);
        for count in 0..=all.len() {
            let written = MessagesJson::write(&all[..count], &base, &people).unwrap();
            assert_eq!(written.len(), count);
            for limit in 1..=4 {
                for has_more in [false, true] {
                    let newest = &all[count.saturating_sub(limit)..count];
                    let described = MessagePageDto {
                        messages: newest.iter().map(|message| MessageDto::new(message, &base, &people)).collect(),
                        total_count: 7,
                        has_more,
                    };
                    let described = serde_json::to_string(&described).unwrap();
                    assert_eq!(String::from_utf8(written.page(limit, 7, has_more).concat()).unwrap(), described);
                }
            }
        }
    }
}
