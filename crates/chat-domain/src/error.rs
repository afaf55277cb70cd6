//! What can go wrong, seen from the caller's side.

use std::error::Error as StdError;
use std::time::Duration;

pub use crate::invalid::{FieldError, FieldPath, Input, Invalid, Violation};
use crate::model::{
    AccessEnd, AttemptedTransition, IdempotencyKey, Seq, SessionState, TransitionError, UploadQuota, UploadUsage,
};

/// The result of a use case or a port.
pub type Result<T, E = ChatError> = std::result::Result<T, E>;

/// Why a request was not carried out. Nothing has changed, except after `Unavailable` and `Internal`, where a write
/// may or may not have happened: a client that must know repeats the request with the same idempotency key.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// The caller's token was issued before an admin signed them out.
    #[error("you were signed out; get a new token")]
    SignedOut,
    /// The caller may not do this.
    #[error(transparent)]
    Forbidden(#[from] Refusal),
    /// There is no such thing.
    #[error("{0} not found")]
    NotFound(Resource),
    /// The input breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The state of the thing does not allow it.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// The session is not as the caller knows it.
    #[error("the session has changed meanwhile: its ETag is \"{current}\"")]
    VersionMismatch {
        /// As what it would be expected now.
        current: Seq,
    },
    /// The missed events cannot be replayed.
    #[error(transparent)]
    ReplayUnavailable(#[from] ReplayUnavailable),
    /// The caller has as much of something as one person may have.
    #[error(transparent)]
    LimitReached(#[from] LimitReached),
    /// A part of the system is too busy or out of reach. Trying again later makes sense.
    #[error("temporarily unavailable: {reason}")]
    Unavailable {
        /// For the log, never for the caller.
        reason: String,
        /// When it makes sense to try again.
        retry_after: Duration,
    },
    /// There is no room for files until a person makes some. Trying again at once does not make sense.
    #[error("there is no room for files")]
    StorageFull,
    /// The bytes of a stored file are not those that were stored. The adapter that found it has logged it: a client can ask
    /// for the file as often as it likes.
    #[error("the bytes of a stored file are damaged")]
    DamagedFile,
    /// Something that should not happen did.
    #[error("internal error: {0}")]
    Internal(#[source] Box<dyn StdError + Send + Sync>),
}

impl ChatError {
    /// An unexpected failure with its cause.
    pub fn internal(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Internal(cause.into())
    }

    /// A failure that should pass within about a second.
    pub fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable { reason: reason.into(), retry_after: Duration::from_secs(1) }
    }

    /// Whether it is certain that nothing was changed.
    pub fn is_certain(&self) -> bool {
        !matches!(self, Self::Unavailable { .. } | Self::Internal(_))
    }
}

/// Why a caller may not do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Their role or their part in the session does not allow it.
    #[error("you are not allowed to {0}")]
    NotAllowed(&'static str),
    /// They are an agent whom an admin has deactivated.
    #[error("this agent has been deactivated")]
    AgentDeactivated,
    /// An admin has blocked them.
    #[error("you have been blocked")]
    Blocked,
}

/// What was not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// A session.
    Session,
    /// A message of a session that there is.
    Message,
    /// An agent who is in the directory and active.
    Agent,
    /// An attachment.
    Attachment,
    /// A thumbnail of an attachment that there is.
    Thumbnail,
}

impl std::fmt::Display for Resource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Session => "chat session",
            Self::Message => "message",
            Self::Agent => "agent",
            Self::Attachment => "attachment",
            Self::Thumbnail => "thumbnail",
        })
    }
}

/// A state that does not allow what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// The session has ended.
    #[error("the session is closed")]
    SessionClosed,
    /// The session already has an agent.
    #[error("the session is already assigned to an agent")]
    AlreadyAssigned,
    /// The session already has the agent who claims it: an earlier request did so, whose answer may have been lost.
    #[error("the session is already yours")]
    AlreadyYours,
    /// The idempotency key was used for a different request.
    #[error("the idempotency key was already used for a different request")]
    IdempotencyKeyReused(IdempotencyKey),
    /// The file belongs to a message, which keeps it.
    #[error("the file has been sent and can no longer be taken back")]
    AlreadySent,
}

/// Why missed events cannot be replayed. The caller pages through the messages instead and subscribes from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayUnavailable {
    /// More events were missed than are replayed at once.
    #[error("more than {limit} events were missed; read the messages instead")]
    TooManyMissed {
        /// How many are replayed at most.
        limit: u64,
    },
    /// The `seq` is newer than the newest event of the session.
    #[error("the `seq` is newer than the newest event of this session; read the messages instead")]
    AheadOfSession,
    /// The position belongs to a history that has been replaced, by a restored backup for instance.
    #[error("the `seq` belongs to another epoch; read the messages instead")]
    OtherEpoch,
}

/// What the caller has too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitReached {
    /// Open sockets on this node.
    #[error("you have {limit} sockets open, and no more are allowed; close one first")]
    Sockets {
        /// How many are allowed.
        limit: usize,
    },
    /// Open sessions of a customer.
    #[error("you have {limit} sessions open, and no more are allowed; close one first")]
    OpenSessions {
        /// How many are allowed.
        limit: u32,
    },
    /// Files that a person has uploaded and not sent.
    #[error(
        "you may have at most {} uploaded files that are not sent, of {} bytes together; send some or remove them first",
        quota.files,
        quota.bytes
    )]
    UnsentUploads {
        /// What is allowed.
        quota: UploadQuota,
    },
}

impl LimitReached {
    /// Whether a file of so many bytes fits beside what a person has uploaded and not sent.
    ///
    /// # Errors
    /// `UnsentUploads`.
    pub fn check_uploads(quota: UploadQuota, usage: UploadUsage, bytes: u64) -> std::result::Result<(), Self> {
        if quota.admits(usage, bytes) { Ok(()) } else { Err(Self::UnsentUploads { quota }) }
    }
}

impl From<TransitionError> for ChatError {
    fn from(error: TransitionError) -> Self {
        Self::Conflict(match (error.attempted, error.from) {
            (AttemptedTransition::Assign, SessionState::Active { .. }) => Conflict::AlreadyAssigned,
            (
                AttemptedTransition::Assign
                | AttemptedTransition::Transfer
                | AttemptedTransition::Update
                | AttemptedTransition::Close
                | AttemptedTransition::Send,
                _,
            ) => Conflict::SessionClosed,
        })
    }
}

impl From<AccessEnd> for ChatError {
    fn from(end: AccessEnd) -> Self {
        match end {
            AccessEnd::SignedOut => Self::SignedOut,
            AccessEnd::Blocked => Refusal::Blocked.into(),
        }
    }
}
