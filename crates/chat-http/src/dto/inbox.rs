//! Views of an inbox on the wire.

use chat_domain::inbox::{InboxCounts, InboxPage, InboxView};
use chat_domain::model::{ChatSession, KnownPeople, LastMessage, MessageId, Party, Timestamp};
use chat_domain::ports::InboxUpdate;
use serde::Serialize;
use utoipa::ToSchema;

use super::message::SenderDto;
use super::person::PersonDto;
use super::session::SessionDto;
use super::wire::{display, display_or_null};
use crate::inbox_cursor;

/// A part of the inbox.
#[derive(Clone, Copy, Debug, ToSchema)]
#[schema(as = InboxView, rename_all = "lowercase")]
#[expect(dead_code, reason = "describes what is read as text")]
pub(crate) enum InboxViewDto {
    /// An agent's active sessions; a customer's sessions, active ones first. Newest activity first.
    Mine,
    /// For agents and admins: active sessions without an agent, by priority, then those first that wait longest.
    Waiting,
    /// For admins: active sessions with an agent, newest first.
    Assigned,
    /// Sessions that have ended, newest end first: an agent's are those that they had when they ended.
    Closed,
}

/// The newest message of a session.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LastMessage)]
pub(crate) struct LastMessageDto<'a> {
    /// Opaque.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, example = "019370d0-7a2c-7d11-9c3e-2b6f8e0a4c55")]
    id: MessageId,
    /// Its sequence number in the session.
    #[schema(minimum = 1, example = 7)]
    seq: u64,
    /// The side that sent it.
    sender: SenderDto,
    /// Who wrote it.
    author: PersonDto<'a>,
    /// How its text begins, on one line: at most 140 characters, which end with "…" if the text goes on. Empty for files
    /// alone.
    #[schema(max_length = 140, example = "Hello, my order is late")]
    preview: &'a str,
    /// RFC 3339 in UTC with milliseconds.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = DateTime, example = "2026-01-31T09:05:00.120Z")]
    timestamp: Timestamp,
    /// How many files it has.
    #[schema(example = 0)]
    attachment_count: u64,
}

impl<'a> LastMessageDto<'a> {
    fn new(message: &'a LastMessage, people: &'a KnownPeople) -> Self {
        Self {
            id: message.id,
            seq: message.seq.get(),
            sender: message.sender.into(),
            author: PersonDto::new(&message.author, people),
            preview: message.preview.as_str(),
            timestamp: message.at,
            attachment_count: message.attachment_count,
        }
    }
}

/// A session in an inbox.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = InboxItem)]
pub(crate) struct InboxItemDto<'a> {
    #[serde(flatten)]
    session: SessionDto<'a>,
    /// The newest message; `null` while there is none.
    #[schema(required)]
    last_message: Option<LastMessageDto<'a>>,
    /// How many messages the caller's side has not read.
    #[schema(example = 1)]
    unread_count: u64,
    /// When it was opened, assigned or transferred, or a message was sent, whichever was last. RFC 3339 in UTC with
    /// milliseconds.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = DateTime, example = "2026-01-31T09:05:00.120Z")]
    last_activity_at: Timestamp,
    /// When the first message was sent that support has not answered, or the session was opened while it has none; `null`
    /// when support has answered, and once the session has ended.
    #[serde(serialize_with = "display_or_null")]
    #[schema(value_type = Option<String>, required, format = DateTime, example = "2026-01-31T09:05:00.120Z")]
    waiting_since: Option<Timestamp>,
    /// The sequence number of its newest event.
    #[schema(minimum = 1, example = 7)]
    seq: u64,
}

impl<'a> InboxItemDto<'a> {
    fn new(session: &'a ChatSession, party: Party, people: &'a KnownPeople) -> Self {
        Self {
            session: SessionDto::new(session, people),
            last_message: session.latest.message.as_deref().map(|message| LastMessageDto::new(message, people)),
            unread_count: session.unread_by(party),
            last_activity_at: session.latest.activity_at,
            waiting_since: session.waiting_since(),
            seq: session.progress.last_seq.get(),
        }
    }
}

/// The inbox in figures. Filters change nothing about them.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = InboxCounts)]
pub(crate) struct InboxCountsDto {
    /// The caller's active sessions. 0 for admins.
    #[schema(example = 1)]
    mine: u64,
    /// The unread messages in them.
    #[schema(example = 1)]
    mine_unread: u64,
    /// How many sessions wait without an agent. 0 for customers.
    #[schema(example = 0)]
    waiting: u64,
    /// The earliest `waitingSince` of those; `null` when support has answered in all of them.
    #[serde(serialize_with = "display_or_null")]
    #[schema(value_type = Option<String>, required, format = DateTime, example = json!(null))]
    longest_waiting_since: Option<Timestamp>,
}

impl From<InboxCounts> for InboxCountsDto {
    fn from(counts: InboxCounts) -> Self {
        let InboxCounts { mine, mine_unread, waiting, longest_waiting_since } = counts;
        Self { mine, mine_unread, waiting, longest_waiting_since }
    }
}

/// A page of a view, with the counts of the inbox.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Inbox)]
pub(crate) struct InboxDto<'a> {
    /// At most 100, in the order of the view.
    #[schema(max_items = 100)]
    items: Vec<InboxItemDto<'a>>,
    /// Of the same moment.
    counts: InboxCountsDto,
    /// The `cursor` of the page after this one; `null` on the last page. Opaque. With a filter, a page may be short or empty
    /// and yet have one.
    #[schema(required, max_length = 36, example = json!(null))]
    next_cursor: Option<String>,
}

impl<'a> InboxDto<'a> {
    /// The page, for a person on this side.
    pub(crate) fn new(page: &'a InboxPage, view: InboxView, party: Party, people: &'a KnownPeople) -> Self {
        Self {
            items: page.sessions.iter().map(|session| InboxItemDto::new(session, party, people)).collect(),
            counts: page.counts.into(),
            next_cursor: page.next.map(|key| inbox_cursor::encode(view, key)),
        }
    }
}

/// A view as it was when the inbox was opened, on a socket.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = InboxSnapshot)]
pub(crate) struct InboxSnapshotDto<'a> {
    /// The view.
    #[schema(value_type = InboxViewDto, example = "waiting")]
    view: &'static str,
    /// At most 100, in the order of the view.
    #[schema(max_items = 100)]
    items: Vec<InboxItemDto<'a>>,
    /// Of the same moment.
    counts: InboxCountsDto,
    /// The `cursor` of the page after this one, which is read over REST; `null` if this is all.
    #[schema(required, max_length = 36, example = json!(null))]
    next_cursor: Option<String>,
}

impl<'a> InboxSnapshotDto<'a> {
    /// The first page of a view, for a person on this side.
    pub(crate) fn new(page: &'a InboxPage, view: InboxView, party: Party, people: &'a KnownPeople) -> Self {
        let InboxDto { items, counts, next_cursor } = InboxDto::new(page, view, party, people);
        Self { view: view.as_str(), items, counts, next_cursor }
    }
}

/// A session of a view as it is now, on a socket.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InboxUpdate)]
pub(crate) struct InboxUpdateDto<'a> {
    /// The view.
    #[schema(value_type = InboxViewDto, example = "waiting")]
    view: &'static str,
    /// The session; `null` when it is not in the view any more.
    #[schema(required)]
    item: Option<InboxItemDto<'a>>,
    /// The inbox after it.
    counts: InboxCountsDto,
}

impl<'a> InboxUpdateDto<'a> {
    /// The update, for a person on this side.
    pub(crate) fn new(update: &'a InboxUpdate, party: Party, people: &'a KnownPeople) -> Self {
        let item = update.session.as_deref().map(|session| InboxItemDto::new(session, party, people));
        Self { view: update.view.as_str(), item, counts: update.counts.into() }
    }
}
