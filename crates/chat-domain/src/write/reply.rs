//! What a write returns to the person who asked for it.

use crate::error::{ChatError, Result};
use crate::model::{ChatMessage, ChatSession, Receipt};

/// A session that was opened, now or by an earlier request with the same idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The session as it was right after it was opened.
    pub session: ChatSession,
    /// Whether an earlier request opened it.
    pub replayed: bool,
}

/// A message that was appended, now or by an earlier request with the same idempotency key.
#[derive(Clone, Debug, PartialEq)]
pub struct Appended {
    /// The message as it was right after it was appended.
    pub message: ChatMessage,
    /// Whether an earlier request appended it.
    pub replayed: bool,
}

/// A session after a change that was not refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedSession {
    /// The session as it is now.
    pub session: ChatSession,
    /// Whether the change has an event. A change to what the session already is has none.
    pub has_event: bool,
}

/// The result of a write that was not refused.
#[derive(Clone, Debug, PartialEq)]
pub enum WriteReply {
    /// Of `OpenSession`.
    Opened(Opened),
    /// Of `AppendMessage`.
    Appended(Appended),
    /// Of `ChangeSession`.
    Changed(ChangedSession),
    /// Of the three marks: the receipt, or `None` when no message has come further.
    Receipt(Option<Receipt>),
}

impl WriteReply {
    /// The reply to `OpenSession`.
    ///
    /// # Errors
    /// `Internal` when it is the reply to another write, which is a fault of the store.
    pub fn opened(self) -> Result<Opened> {
        match self {
            Self::Opened(opened) => Ok(opened),
            other => Err(other.mismatch()),
        }
    }

    /// The reply to `AppendMessage`.
    ///
    /// # Errors
    /// As [`Self::opened`].
    pub fn appended(self) -> Result<Appended> {
        match self {
            Self::Appended(appended) => Ok(appended),
            other => Err(other.mismatch()),
        }
    }

    /// The reply to `ChangeSession`.
    ///
    /// # Errors
    /// As [`Self::opened`].
    pub fn changed(self) -> Result<ChangedSession> {
        match self {
            Self::Changed(changed) => Ok(changed),
            other => Err(other.mismatch()),
        }
    }

    /// The reply to one of the marks.
    ///
    /// # Errors
    /// As [`Self::opened`].
    pub fn receipt(self) -> Result<Option<Receipt>> {
        match self {
            Self::Receipt(receipt) => Ok(receipt),
            other => Err(other.mismatch()),
        }
    }

    fn mismatch(&self) -> ChatError {
        let name = match self {
            Self::Opened(_) => "an opened session",
            Self::Appended(_) => "an appended message",
            Self::Changed(_) => "a changed session",
            Self::Receipt(_) => "a receipt",
        };
        ChatError::internal(format!("the store replied to another write with {name}"))
    }
}
