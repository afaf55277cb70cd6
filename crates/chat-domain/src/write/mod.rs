//! Writes to sessions as data: what is asked for, the facts that decide about it, and the effects that a store persists.
//!
//! A store takes a batch of writes through three steps. It loads the [`Facts`] that the writes depend on, locked as its
//! mode says; [`WriteBatch::decide`] decides each write in turn on these facts and on what the writes before it in the
//! batch have done; the store persists the [`Effects`] in one transaction. Only `decide` can make effects, so nothing is
//! written that the rules of the domain have not allowed. One use case has one file here, named after the write.
//!
//! Not here: how facts are loaded and locked, and how batches form.

mod append_message;
mod batch;
mod change_session;
mod decide;
mod effects;
mod facts;
mod lock_set;
mod mark_delivered;
mod mark_read;
mod mark_read_up_to;
mod open_session;
mod receipts;
mod reply;

pub use batch::WriteBatch;
pub use effects::{Creation, Effects, ReceiptEffect, SessionEffect};
pub use facts::{Facts, KnownMessage, MessagesNeeded, UNSENT_UPLOAD};
pub use lock_set::LockSet;
pub use reply::{Appended, ChangedSession, Opened, WriteReply};

use crate::model::{
    Idempotency, MessageDraft, MessageId, NewSession, Principal, Seq, SessionChange, SessionId, Timestamp,
};

/// A change of one session, and the person who asks for it.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionWrite {
    /// Opens a session.
    OpenSession(OpenSession),
    /// Appends a message to a session.
    AppendMessage(MessageDraft),
    /// Assigns, transfers, updates or closes a session.
    ChangeSession(SessionId, SessionChange),
    /// Marks messages of the other side as read.
    MarkRead(MarkRead),
    /// Marks the other side's messages up to a position as read.
    MarkReadUpTo(MarkUpTo),
    /// Records that the other side's messages up to a position reached a participant.
    MarkDelivered(MarkUpTo),
}

/// A session to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenSession {
    /// The session.
    pub session: NewSession,
    /// The person who opens it: the owner, or an admin.
    pub creator: Principal,
    /// What makes a repetition of the request recognisable.
    pub idempotency: Option<Idempotency>,
    /// How many sessions the owner may have open, this one included; `None` for any number.
    pub limit: Option<u32>,
}

/// Messages of a session that were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkRead {
    /// The session.
    pub session_id: SessionId,
    /// The person who has read them.
    pub reader: Principal,
    /// The messages, in the order in which the request names them.
    pub messages: Vec<MessageId>,
    /// When.
    pub at: Timestamp,
}

/// A position up to which messages of a session were read or delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkUpTo {
    /// The session.
    pub session_id: SessionId,
    /// The person who has read or received them.
    pub reader: Principal,
    /// The position. One beyond the newest change means that one.
    pub up_to: Seq,
    /// When.
    pub at: Timestamp,
}

impl SessionWrite {
    /// The session that the write changes; `None` if it opens one.
    pub fn session_id(&self) -> Option<SessionId> {
        match self {
            Self::OpenSession(_) => None,
            Self::AppendMessage(draft) => Some(draft.session_id),
            Self::ChangeSession(session_id, _) => Some(*session_id),
            Self::MarkRead(write) => Some(write.session_id),
            Self::MarkReadUpTo(write) | Self::MarkDelivered(write) => Some(write.session_id),
        }
    }

    /// The person who asks for it.
    pub fn principal(&self) -> &Principal {
        match self {
            Self::OpenSession(write) => &write.creator,
            Self::AppendMessage(draft) => &draft.author,
            Self::ChangeSession(_, change) => &change.by,
            Self::MarkRead(write) => &write.reader,
            Self::MarkReadUpTo(write) | Self::MarkDelivered(write) => &write.reader,
        }
    }

    /// When it was asked for.
    pub fn at(&self) -> Timestamp {
        match self {
            Self::OpenSession(write) => write.session.started_at,
            Self::AppendMessage(draft) => draft.sent_at,
            Self::ChangeSession(_, change) => change.at,
            Self::MarkRead(write) => write.at,
            Self::MarkReadUpTo(write) | Self::MarkDelivered(write) => write.at,
        }
    }

    /// Whether it appends a message that has no files.
    pub fn is_plain_message(&self) -> bool {
        matches!(self, Self::AppendMessage(draft) if draft.attachments.is_empty())
    }
}
