//! The durable changes of a session in order, as the stores keep them.

use async_trait::async_trait;

use crate::error::Result;
use crate::model::{Epoch, EventChange, MessageId, Seq, SessionEvent, SessionId, Subject, Tags};

/// The most sessions that are asked for in one call of [`EventLog::heads`].
pub const MAX_HEADS: usize = 1_000;

/// How much of a log is read at once: what a reader holds must not grow with the size of the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LogLimit {
    /// The most events.
    pub events: u32,
    /// The most bytes together, as [`bytes_of`](Self::bytes_of) estimates them. One event is returned whatever its size, so
    /// that a reader always progresses.
    pub bytes: usize,
}

/// The bytes of every event: ids, times, names.
const EVENT_BYTES: usize = 256;
/// What a file adds.
const FILE_BYTES: usize = 512;
/// What a message adds that a receipt names.
const ID_BYTES: usize = 40;
/// What the state and the counters of a session add.
const SESSION_BYTES: usize = 512;

impl LogLimit {
    /// About how many bytes it takes to keep an event in memory, or to write it to a socket.
    pub fn bytes_of(event: &SessionEvent) -> usize {
        event.people.bytes() + Self::bytes_of_change(&event.change)
    }

    fn bytes_of_change(change: &EventChange) -> usize {
        match change {
            EventChange::Message(message) => {
                Self::bytes_of_message(message.content.as_str().len(), message.attachments.len())
            }
            EventChange::Receipt(receipt) => EVENT_BYTES + receipt.messages.len() * ID_BYTES,
            EventChange::Opened(session)
            | EventChange::Assigned(session)
            | EventChange::Transferred(session)
            | EventChange::Updated(session)
            | EventChange::Closed(session) => {
                let details = Self::bytes_of_details(session.subject.as_ref(), &session.tags);
                let opened_with = session.opened_with.as_ref().map_or(0, |opening| {
                    Self::bytes_of_details(opening.details.subject.as_ref(), &opening.details.tags)
                });
                EVENT_BYTES + SESSION_BYTES + details + opened_with
            }
            EventChange::Unknown => EVENT_BYTES,
        }
    }

    fn bytes_of_details(subject: Option<&Subject>, tags: &Tags) -> usize {
        let tags: usize = tags.as_slice().iter().map(String::len).sum();
        subject.map_or(0, |subject| subject.as_str().len()) + tags
    }

    /// As [`bytes_of`](Self::bytes_of), of a message with this many bytes of text and this many files, for a store that has
    /// not read it yet.
    pub fn bytes_of_message(content_bytes: usize, files: usize) -> usize {
        EVENT_BYTES + content_bytes + files * FILE_BYTES
    }

    /// So many events of any size, for readers that keep none of them.
    pub fn events(events: u32) -> Self {
        Self { events, bytes: usize::MAX }
    }
}

/// Events that follow each other in a session's log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogPage {
    /// The events, oldest first.
    pub events: Vec<SessionEvent>,
    /// Whether a limit ended the page. If not, it ended with the log, and may be longer a moment later.
    pub is_full: bool,
}

impl LogPage {
    /// The longest page within the limit that begins with the first of these events.
    pub fn within(limit: LogLimit, mut events: Vec<SessionEvent>) -> Self {
        let mut bytes: usize = 0;
        let fitting = events.iter().take(limit.events as usize).take_while(|event| {
            let is_first = bytes == 0;
            bytes = bytes.saturating_add(LogLimit::bytes_of(event));
            is_first || bytes <= limit.bytes
        });
        let fitting = fitting.count();
        let is_full = fitting < events.len() || fitting == limit.events as usize;
        events.truncate(fitting);
        Self { events, is_full }
    }
}

/// Reads the past of a session.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait EventLog: Send + Sync {
    /// The position of the newest change; `None` when there is no such session.
    async fn head(&self, session: SessionId) -> Result<Option<Seq>>;

    /// The positions of the newest changes of those of `sessions` that exist, in any order, with one look. At most
    /// `MAX_HEADS` are asked for at a time.
    async fn heads(&self, sessions: Vec<SessionId>) -> Result<Vec<(SessionId, Seq)>>;

    /// The changes right after `after`, oldest first: the longest page within `limit`, but at least one event if there
    /// is any. Their positions MUST be `after + 1`, `+ 2` … without gap. `is_full` MUST be set if and only if the limit
    /// ended the page. An unknown session has no changes.
    ///
    /// What lies beyond the limit MUST NOT be loaded into memory first: a page of the largest messages weighs many
    /// times what the limit allows.
    ///
    /// An event is what was published: a message as it was sent, a session with its counters as they were then, the key
    /// with it. One of a kind that this version does not know MUST be `EventChange::Unknown`, and values that it does not
    /// know inside a known one MUST NOT make it unreadable.
    async fn read(&self, session: SessionId, after: Seq, limit: LogLimit) -> Result<LogPage>;

    /// The position of a message; `None` when it is not a message of this session.
    async fn position_of(&self, session: SessionId, message: MessageId) -> Result<Option<Seq>>;

    /// The history that the positions belong to. It changes when the operator says so, and only then.
    async fn epoch(&self) -> Result<Epoch>;
}
