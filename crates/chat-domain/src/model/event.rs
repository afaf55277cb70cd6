//! What happens in a session, for those who watch it.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::{ChatMessage, ChatSession, IdempotencyKey, Receipt, Seq, SessionId, Timestamp, UserId};

/// A durable change of a session, at its place in the session's sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionEvent {
    /// The session that changed.
    pub session_id: SessionId,
    /// The change's position.
    pub seq: Seq,
    /// When it happened.
    pub at: Timestamp,
    /// Who did it.
    pub actor: UserId,
    /// The key that the actor gave a message when they sent it. It is for their own eyes: their other devices know the
    /// message by it, which they may already show as being sent.
    pub key: Option<IdempotencyKey>,
    /// What changed.
    pub change: Change,
}

/// The weight that every event has: ids, times, names.
const FRAME_WEIGHT: usize = 256;
/// What a file adds to it.
const FILE_WEIGHT: usize = 512;
/// What a message adds that a receipt names.
const ID_WEIGHT: usize = 40;
/// What the state and the counters of a session add.
const SESSION_WEIGHT: usize = 512;

impl SessionEvent {
    /// About how many bytes it takes to keep or to write it.
    pub fn weight(&self) -> usize {
        match &self.change {
            Change::Message(message) => Self::message_weight(message.content.as_str().len(), message.attachments.len()),
            Change::Receipt(receipt) => FRAME_WEIGHT + receipt.messages.len() * ID_WEIGHT,
            Change::Opened(session)
            | Change::Assigned(session)
            | Change::Transferred(session)
            | Change::Closed(session) => {
                let subject = session.subject.as_ref().map_or(0, |subject| subject.as_str().len());
                let tags: usize = session.tags.as_slice().iter().map(String::len).sum();
                FRAME_WEIGHT + SESSION_WEIGHT + subject + tags
            }
            Change::Unknown => FRAME_WEIGHT,
        }
    }

    /// The weight of a message with so many bytes of text and so many files, for a store that has not read it yet.
    pub fn message_weight(content_bytes: usize, files: usize) -> usize {
        FRAME_WEIGHT + content_bytes + files * FILE_WEIGHT
    }
}

/// What changed. The session inside is the session as it was right after the change.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// The session was opened.
    Opened(ChatSession),
    /// The session was given to an agent.
    Assigned(ChatSession),
    /// The session was handed over, or back to the queue.
    Transferred(ChatSession),
    /// The session ended.
    Closed(ChatSession),
    /// A message was added.
    Message(ChatMessage),
    /// Messages were received or read.
    Receipt(Receipt),
    /// Something that a newer version does and this one does not know. It only takes its number in the sequence.
    Unknown,
}

impl Change {
    /// The session after the change, when the change is one of the session itself.
    pub fn session(&self) -> Option<&ChatSession> {
        match self {
            Self::Opened(session) | Self::Assigned(session) | Self::Transferred(session) | Self::Closed(session) => {
                Some(session)
            }
            Self::Message(_) | Self::Receipt(_) | Self::Unknown => None,
        }
    }
}

/// Someone started or stopped typing. Not durable: it may be lost and is never replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypingEvent {
    /// The session they type in.
    pub session_id: SessionId,
    /// Who types.
    pub user_id: UserId,
    /// Whether they started or stopped.
    pub is_typing: bool,
    /// When.
    pub at: Timestamp,
    /// Whether a node says so and not the person. Such a stop means that their last connection to that node has gone,
    /// and holds unless they are connected to another; such a start is how that other node contradicts it.
    pub by_node: bool,
}

/// Anything a watcher of a session hears of.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly every event is durable: a box would cost each an allocation")]
pub enum LiveEvent {
    /// A durable change, delivered in order and without gaps.
    Durable(SessionEvent),
    /// A typing indicator, delivered at most once.
    Typing(TypingEvent),
}

impl LiveEvent {
    /// About how many bytes it takes to keep or to write it.
    pub fn weight(&self) -> usize {
        match self {
            Self::Durable(event) => event.weight(),
            Self::Typing(_) => FRAME_WEIGHT,
        }
    }

    /// The session it is about.
    pub fn session_id(&self) -> SessionId {
        match self {
            Self::Durable(event) => event.session_id,
            Self::Typing(event) => event.session_id,
        }
    }
}

/// The forms that events go out in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// What happened.
    Plain,
    /// What happened, with its position in the session.
    Positioned,
}

/// An event on its way to any number of watchers, which share one encoding of it in each form.
#[derive(Debug)]
pub struct Published {
    event: LiveEvent,
    plain: OnceLock<Bytes>,
    positioned: OnceLock<Bytes>,
}

impl Published {
    /// Wraps an event for sharing.
    pub fn new(event: LiveEvent) -> Arc<Self> {
        Arc::new(Self { event, plain: OnceLock::new(), positioned: OnceLock::new() })
    }

    /// The event.
    pub fn event(&self) -> &LiveEvent {
        &self.event
    }

    /// The event encoded in a form, made by the first caller and shared by all later ones.
    /// Every caller of one process passes the same `encode` for a form.
    pub fn encoded(&self, form: Form, encode: impl FnOnce(&LiveEvent) -> Bytes) -> Bytes {
        let encoded = match form {
            Form::Plain => &self.plain,
            Form::Positioned => &self.positioned,
        };
        encoded.get_or_init(|| encode(&self.event)).clone()
    }
}
