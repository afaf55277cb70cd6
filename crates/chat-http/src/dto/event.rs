//! The frames of the socket.

use chat_domain::model::{Change, LiveEvent, Timestamp, TypingEvent};
use serde::Serialize;
use utoipa::ToSchema;

use super::wire::display;
use super::{MessageDto, SessionDto};
use crate::request::BaseUrl;

/// A frame from the server to the client, as JSON text.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
#[schema(as = SocketFrame)]
pub(crate) enum FrameDto<'a> {
    /// A message was added.
    Message(MessageDto<'a>),
    /// The session was opened, assigned, transferred or closed.
    SessionUpdate(SessionDto<'a>),
    /// Someone started or stopped typing.
    Typing(TypingDto<'a>),
}

/// Someone started or stopped typing.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ChatTypingEvent)]
pub(crate) struct TypingDto<'a> {
    #[schema(example = "alice")]
    user_id: &'a str,
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

impl<'a> FrameDto<'a> {
    /// The frame for an event. Receipts have none: a client of the contract would take them for new messages.
    pub(crate) fn of(event: &'a LiveEvent, base: &BaseUrl) -> Option<Self> {
        match event {
            LiveEvent::Typing(typing) => Some(Self::Typing(typing.into())),
            LiveEvent::Durable(event) => match &event.change {
                Change::Message(message) => Some(Self::Message(MessageDto::new(message, base))),
                Change::Opened(session)
                | Change::Assigned(session)
                | Change::Transferred(session)
                | Change::Closed(session) => Some(Self::SessionUpdate(session.into())),
                Change::Receipt(_) => None,
            },
        }
    }
}
