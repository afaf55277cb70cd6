//! Messages and how far they have come.

use std::time::Duration;

use super::session_details::reject_nul;
use super::{Attachment, ChatSession, Idempotency, MessageId, Party, Principal, Seq, SessionId, Timestamp, UserId};
use crate::error::{Result, Violation};
use crate::policy::{self, Action};

/// The text of a message: up to 10,000 characters, kept byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content(String);

impl Content {
    /// The most characters a message has.
    pub const MAX_CHARS: usize = 10_000;

    /// Checks the length and the characters. Blank text is allowed only beside an attachment.
    pub fn parse(text: String, has_attachments: bool) -> Result<Self, Violation> {
        // A text has at most as many characters as bytes, so short ones need no counting.
        if text.len() > Self::MAX_CHARS && text.chars().count() > Self::MAX_CHARS {
            return Err(Violation::new("must have at most 10000 characters"));
        }
        reject_nul(&text)?;
        if !has_attachments && text.trim().is_empty() {
            return Err(Violation::new("must not be blank unless there is an attachment"));
        }
        Ok(Self(text))
    }

    /// Takes text that was checked before it was stored.
    pub fn from_store(text: String) -> Self {
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How far a message has come; it never goes back. The moments are those of the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Stored.
    Sent,
    /// Reached a device of the other side.
    Delivered {
        /// When it did.
        at: Timestamp,
    },
    /// Read by the other side.
    Read {
        /// When it reached them.
        delivered_at: Timestamp,
        /// When it was read.
        at: Timestamp,
    },
}

/// The name of a `Delivery` without its moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryStatus {
    /// Stored.
    Sent,
    /// Reached a device of the other side.
    Delivered,
    /// Read by the other side.
    Read,
}

impl Delivery {
    /// Puts together what a store keeps in two columns.
    pub fn from_moments(delivered_at: Option<Timestamp>, read_at: Option<Timestamp>) -> Self {
        match (delivered_at, read_at) {
            (delivered, Some(at)) => Self::Read { delivered_at: delivered.unwrap_or(at), at },
            (Some(at), None) => Self::Delivered { at },
            (None, None) => Self::Sent,
        }
    }

    /// When it reached the other side.
    pub fn delivered_at(self) -> Option<Timestamp> {
        match self {
            Self::Sent => None,
            Self::Delivered { at } => Some(at),
            Self::Read { delivered_at, .. } => Some(delivered_at),
        }
    }

    /// When it was read.
    pub fn read_at(self) -> Option<Timestamp> {
        match self {
            Self::Sent | Self::Delivered { .. } => None,
            Self::Read { at, .. } => Some(at),
        }
    }

    /// The name of the stage.
    pub fn status(self) -> DeliveryStatus {
        match self {
            Self::Sent => DeliveryStatus::Sent,
            Self::Delivered { .. } => DeliveryStatus::Delivered,
            Self::Read { .. } => DeliveryStatus::Read,
        }
    }

    /// Reached at `at`; a message that already came this far stays as it is.
    #[must_use]
    pub fn delivered(self, at: Timestamp) -> Self {
        match self {
            Self::Sent => Self::Delivered { at },
            further => further,
        }
    }

    /// Read at `at`, which implies that it was delivered; a message that was read stays as it is.
    #[must_use]
    pub fn read(self, at: Timestamp) -> Self {
        match self {
            Self::Sent => Self::Read { delivered_at: at, at },
            Self::Delivered { at: delivered_at } => Self::Read { delivered_at, at },
            read @ Self::Read { .. } => read,
        }
    }
}

/// A message as it stands in its session.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatMessage {
    /// Its name.
    pub id: MessageId,
    /// The session it belongs to.
    pub session_id: SessionId,
    /// Its position among the session's durable changes.
    pub seq: Seq,
    /// The person who wrote it.
    pub author: UserId,
    /// The side that person was on.
    pub sender: Party,
    /// The text; may be empty when there are attachments.
    pub content: Content,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// How far it has come.
    pub delivery: Delivery,
    /// Its files, in order.
    pub attachments: Vec<Attachment>,
}

impl ChatMessage {
    /// The message as it was right after it was sent: what a repeated request to send it is answered with.
    #[must_use]
    pub fn as_sent(mut self) -> Self {
        self.delivery = Delivery::Sent;
        self
    }
}

/// A message that waits to be appended to its session.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageDraft {
    /// The name it will have.
    pub id: MessageId,
    /// The session it is for.
    pub session_id: SessionId,
    /// Who sends it.
    pub author: Principal,
    /// The text.
    pub content: Content,
    /// The files, whose bytes are already durable.
    pub attachments: Vec<Attachment>,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// What makes a repetition of the request recognisable.
    pub idempotency: Option<Idempotency>,
}

/// A draft that its session has taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Accepted {
    /// The session with the message counted.
    pub session: ChatSession,
    /// The message with its position.
    pub message: ChatMessage,
    /// How long the customer had waited for it, when it answers them.
    pub response_time: Option<Duration>,
}

impl MessageDraft {
    /// Checks the author's right.
    ///
    /// A store calls this first inside the transaction that holds the session, then looks for a message with the same
    /// idempotency key, then calls `decide`: so right and state are those of the moment of the change, and a
    /// repetition gets its answer even when the session has been closed since.
    ///
    /// # Errors
    /// `Forbidden` when the author has lost the right meanwhile.
    pub fn authorize(&self, session: &ChatSession) -> Result<()> {
        Ok(policy::authorize(&self.author, &Action::SendMessage(session))?)
    }

    /// Checks the session's state and gives the message its position, and a time that is not before that of the change
    /// before it.
    ///
    /// # Errors
    /// `Conflict` when the session is closed.
    pub fn decide(&self, session: ChatSession) -> Result<Accepted> {
        let sender = session.party_of(&self.author.id);
        let (session, response_time) = session.record_message(sender, self.sent_at)?;
        let message = ChatMessage {
            id: self.id,
            session_id: self.session_id,
            seq: session.progress.last_seq,
            author: self.author.id.clone(),
            sender,
            content: self.content.clone(),
            sent_at: session.progress.last_event_at,
            delivery: Delivery::Sent,
            attachments: self.attachments.clone(),
        };
        Ok(Accepted { session, message, response_time })
    }
}
