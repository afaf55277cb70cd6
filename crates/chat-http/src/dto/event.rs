//! What happens in a session, as frames of the socket.

use chat_domain::model::{
    EventChange, IdempotencyKey, LiveEvent, MessageId, Receipt, ReceiptStatus, SessionEvent, SessionId, Timestamp,
    TypingEvent,
};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use super::wire::{display, display_some};
use super::{MessageDto, SessionDto};
use crate::base_url::BaseUrl;

/// A frame with an event. In base mode it is `type` and `data` and nothing else.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventFrameDto<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "display_some")]
    session_id: Option<SessionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<&'a str>,
    data: EventDataDto<'a>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum EventDataDto<'a> {
    Message(MessageDto<'a>),
    Session(SessionDto<'a>),
    Receipt(ReceiptDto<'a>),
    Typing(TypingDto<'a>),
}

impl<'a> EventDataDto<'a> {
    /// `None` for a change of a kind that this version does not know.
    fn of(event: &'a LiveEvent, base: &BaseUrl) -> Option<Self> {
        Some(match event {
            LiveEvent::Typing(typing) => Self::Typing(typing.into()),
            LiveEvent::Durable(event) => match &event.change {
                EventChange::Message(message) => Self::Message(MessageDto::new(message, base, &event.people)),
                EventChange::Opened(session)
                | EventChange::Assigned(session)
                | EventChange::Transferred(session)
                | EventChange::Updated(session)
                | EventChange::Closed(session) => Self::Session(SessionDto::new(session, &event.people)),
                EventChange::Receipt(receipt) => Self::Receipt(ReceiptDto::new(receipt, event.at)),
                EventChange::Unknown => return None,
            },
        })
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Message(_) => "message",
            Self::Session(_) => "session_update",
            Self::Receipt(_) => "receipt",
            Self::Typing(_) => "typing",
        }
    }
}

impl<'a> EventFrameDto<'a> {
    /// The frame of base mode. Receipts have none: a client that expects three types would take them for new messages.
    pub(crate) fn plain(event: &'a LiveEvent, base: &BaseUrl) -> Option<Self> {
        let data = match EventDataDto::of(event, base)? {
            EventDataDto::Receipt(_) => return None,
            EventDataDto::Message(message) => EventDataDto::Message(message.plain()),
            EventDataDto::Session(session) => EventDataDto::Session(session.plain()),
            data @ EventDataDto::Typing(_) => data,
        };
        Some(Self { kind: data.kind(), session_id: None, seq: None, idempotency_key: None, data })
    }

    /// The frame of extended mode: a durable event with its position, and for the one who did it with the key that they
    /// gave a message. A change of a kind that this version does not know has none.
    pub(crate) fn positioned(event: &'a LiveEvent, base: &BaseUrl, own_key: bool) -> Option<Self> {
        let data = EventDataDto::of(event, base)?;
        let (seq, key) = match event {
            LiveEvent::Durable(SessionEvent { seq, key, .. }) => (Some(seq.get()), key.as_ref().filter(|_| own_key)),
            LiveEvent::Typing(_) => (None, None),
        };
        let idempotency_key = key.filter(|_| matches!(data, EventDataDto::Message(_))).map(IdempotencyKey::as_str);
        Some(Self { kind: data.kind(), session_id: None, seq, idempotency_key, data })
    }
}

impl EventFrameDto<'_> {
    /// The same with the session beside it, for a socket with the events of many.
    pub(crate) fn of_session(self, session: SessionId) -> Self {
        Self { session_id: Some(session), ..self }
    }
}

/// Someone started or stopped typing.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ChatTypingEvent)]
pub(crate) struct TypingDto<'a> {
    /// Who it is.
    #[schema(example = "alice")]
    user_id: &'a str,
    /// Whether they type now.
    #[schema(example = true)]
    is_typing: bool,
    /// RFC 3339 in UTC with milliseconds.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = DateTime, example = "2026-01-31T09:05:01.500Z")]
    timestamp: Timestamp,
}

impl<'a> From<&'a TypingEvent> for TypingDto<'a> {
    fn from(event: &'a TypingEvent) -> Self {
        Self { user_id: event.user_id.as_str(), is_typing: event.is_typing, timestamp: event.at }
    }
}

/// How far messages have come. It holds for every message up to the position that the reader did not write.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ReceiptStatus)]
pub(crate) enum ReceiptStatusDto {
    /// They have reached a device of the reader.
    Delivered,
    /// The reader has read them.
    Read,
}

impl From<ReceiptStatus> for ReceiptStatusDto {
    fn from(status: ReceiptStatus) -> Self {
        match status {
            ReceiptStatus::Delivered => Self::Delivered,
            ReceiptStatus::Read => Self::Read,
        }
    }
}

/// The other side received or read messages.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ChatReceiptEvent)]
pub(crate) struct ReceiptDto<'a> {
    /// Who received or read them.
    #[schema(example = "bob")]
    user_id: &'a str,
    /// How far they have come.
    status: ReceiptStatusDto,
    /// The position of the newest of them.
    #[schema(example = 17)]
    up_to_seq: u64,
    /// The messages that have come one stage further, oldest first.
    #[serde(serialize_with = "display_all")]
    #[schema(value_type = Vec<String>, max_items = 1000, example = json!(["019370d1-2f6c-7b21-b7a4-93a1c5a0e3f2"]))]
    message_ids: &'a [MessageId],
    /// RFC 3339 in UTC with milliseconds.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = DateTime, example = "2026-01-31T09:05:04.250Z")]
    timestamp: Timestamp,
}

impl<'a> ReceiptDto<'a> {
    fn new(receipt: &'a Receipt, at: Timestamp) -> Self {
        Self {
            user_id: receipt.reader.as_str(),
            status: receipt.status.into(),
            up_to_seq: receipt.up_to.get(),
            message_ids: &receipt.messages,
            timestamp: at,
        }
    }
}

fn display_all<S: Serializer>(ids: &[MessageId], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(ids.iter().map(|id| Displayed(*id)))
}

struct Displayed(MessageId);

impl Serialize for Displayed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}
