//! Messages and how far they have come.

use super::session_details::reject_nul;
use super::{Attachment, AttachmentId, Idempotency, MessageId, Party, Principal, Seq, SessionId, Timestamp, UserId};
use crate::invalid::Violation;

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

/// The files of a message that waits to be appended.
#[derive(Clone, Debug, PartialEq)]
pub enum DraftAttachments {
    /// Files that the request has brought, in order; none for a message of text alone.
    Staged(Vec<Attachment>),
    /// Files that the author has uploaded to the session before.
    Uploaded {
        /// Which, in order. None is named twice.
        ids: Vec<AttachmentId>,
        /// The most bytes that they may have together.
        max_bytes: u64,
    },
}

impl DraftAttachments {
    /// No files.
    pub const NONE: Self = Self::Staged(Vec::new());

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Staged(files) => files.is_empty(),
            Self::Uploaded { ids, .. } => ids.is_empty(),
        }
    }

    /// The files that the request has brought.
    pub fn staged(&self) -> &[Attachment] {
        match self {
            Self::Staged(files) => files,
            Self::Uploaded { .. } => &[],
        }
    }

    /// The files that were uploaded before.
    pub fn uploaded(&self) -> &[AttachmentId] {
        match self {
            Self::Staged(_) => &[],
            Self::Uploaded { ids, .. } => ids,
        }
    }
}

impl From<Vec<Attachment>> for DraftAttachments {
    fn from(files: Vec<Attachment>) -> Self {
        Self::Staged(files)
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
    pub attachments: DraftAttachments,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// What makes a repetition of the request recognisable.
    pub idempotency: Option<Idempotency>,
}
