//! What can go wrong, seen from the caller's side.

use std::error::Error as StdError;
use std::time::Duration;

use crate::model::{Attempt, IdempotencyKey, SessionState, TransitionError};

/// The result of a use case or a port.
pub type Result<T, E = ChatError> = std::result::Result<T, E>;

/// Input that has been parsed, or the reasons why it could not be.
///
/// A use case takes its input in this form because the reasons are told only to someone who may know that the
/// session exists: a wrong id is answered first, then a missing right, then bad input.
pub type Input<T> = std::result::Result<T, Invalid>;

/// Why a request was not carried out. Nothing has changed, except after `Unavailable` and `Internal`, where a write
/// may or may not have happened: whoever must know repeats the request with the same idempotency key.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
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
}

/// What was not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// A session.
    Session,
    /// An agent who is in the directory and active.
    Agent,
    /// An attachment.
    Attachment,
}

impl std::fmt::Display for Resource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Session => "chat session",
            Self::Agent => "agent",
            Self::Attachment => "attachment",
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
}

/// Why missed events cannot be replayed. The caller pages through the messages instead and watches from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayUnavailable {
    /// More events were missed than are replayed at once.
    #[error("more than {limit} events were missed; read the messages instead")]
    TooManyMissed {
        /// How many are replayed at most.
        limit: u64,
    },
    /// The position is newer than the session.
    #[error("the position lies in the future of this session; read the messages instead")]
    AheadOfSession,
    /// The position belongs to a history that has been replaced, by a restored backup for instance.
    #[error("the position belongs to another epoch; read the messages instead")]
    OtherEpoch,
}

/// What the caller has too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitReached {
    /// Open sockets, on all nodes together.
    #[error("you have {limit} sockets open, and no more are allowed; close one first")]
    Connections {
        /// How many are allowed.
        limit: usize,
    },
}

impl From<TransitionError> for ChatError {
    fn from(error: TransitionError) -> Self {
        Self::Conflict(match (error.attempted, error.from) {
            (Attempt::Assign, SessionState::Active { .. }) => Conflict::AlreadyAssigned,
            (Attempt::Assign | Attempt::Transfer | Attempt::Close | Attempt::Send, _) => Conflict::SessionClosed,
        })
    }
}

/// A rule that a value breaks, in words that follow the name of its field: "must have at most 200 characters".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation(String);

impl Violation {
    /// A rule in words.
    pub fn new(rule: impl Into<String>) -> Self {
        Self(rule.into())
    }

    /// The rule with the field that breaks it.
    pub fn of(self, field: impl Into<String>) -> Invalid {
        Invalid { fields: vec![FieldError { field: field.into(), rule: self.0 }] }
    }
}

/// A field and the rule it breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The field, in the spelling of the API; `body` for a request body as a whole.
    pub field: String,
    /// The rule in words.
    pub rule: String,
}

/// Input that breaks at least one rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.summary())]
pub struct Invalid {
    /// The broken rules; never empty.
    pub fields: Vec<FieldError>,
}

impl Invalid {
    /// One field that breaks one rule.
    pub fn new(field: impl Into<String>, rule: impl Into<String>) -> Self {
        Violation::new(rule).of(field)
    }

    fn summary(&self) -> String {
        let rules: Vec<String> = self.fields.iter().map(|error| format!("{} {}", error.field, error.rule)).collect();
        rules.join("; ")
    }
}
