//! The events of a session.

use super::{ChatMessage, ChatSession, IdempotencyKey, KnownPeople, Receipt, Seq, SessionId, Timestamp, UserId};

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
    pub change: EventChange,
    /// The people whom it shows, as they were known when it was published or read.
    pub people: KnownPeople,
}

/// What changed. The session inside is the session as it was right after the change.
#[derive(Clone, Debug, PartialEq)]
pub enum EventChange {
    /// The session was opened.
    Opened(ChatSession),
    /// The session was given to an agent.
    Assigned(ChatSession),
    /// The session was handed over, or back to the queue.
    Transferred(ChatSession),
    /// What the session is about was changed.
    Updated(ChatSession),
    /// The session ended.
    Closed(ChatSession),
    /// A message was added.
    Message(ChatMessage),
    /// Messages were received or read.
    Receipt(Receipt),
    /// Something that a newer version does and this one does not know. It only takes its number in the sequence.
    Unknown,
}

impl EventChange {
    /// The session after the change, when the change is one of the session itself.
    pub fn session(&self) -> Option<&ChatSession> {
        match self {
            Self::Opened(session)
            | Self::Assigned(session)
            | Self::Transferred(session)
            | Self::Updated(session)
            | Self::Closed(session) => Some(session),
            Self::Message(_) | Self::Receipt(_) | Self::Unknown => None,
        }
    }

    /// The people whom it shows by more than an id: the author of a message, the owner and the agent of a session.
    pub fn shown_people(&self) -> impl Iterator<Item = UserId> {
        let author = match self {
            Self::Message(message) => Some(message.author.clone()),
            _ => None,
        };
        author.into_iter().chain(self.session().into_iter().flat_map(ChatSession::people))
    }
}

/// A person started or stopped typing. Not durable: it may be lost and is never replayed.
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
}

/// An event of a session, durable or not.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly every event is durable: a box would cost each an allocation")]
pub enum LiveEvent {
    /// A durable change, delivered in order and without gaps.
    Durable(SessionEvent),
    /// A typing indicator, delivered at most once.
    Typing(TypingEvent),
}

impl LiveEvent {
    /// The session it is about.
    pub fn session_id(&self) -> SessionId {
        match self {
            Self::Durable(event) => event.session_id,
            Self::Typing(event) => event.session_id,
        }
    }
}
