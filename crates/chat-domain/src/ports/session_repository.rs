//! Where sessions are kept.

use async_trait::async_trait;

use crate::error::Result;
use crate::model::{
    ChatSession, Idempotency, NewSession, Principal, SessionChange, SessionId, SessionPage, SessionQuery,
};

/// A session that was opened, now or by an earlier request with the same idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The session as it was right after it was opened.
    pub session: ChatSession,
    /// Whether an earlier request opened it.
    pub replayed: bool,
}

/// Keeps sessions.
///
/// The writing methods MUST hand every committed change to the `Notifier` once, in `seq` order per session, after the
/// commit and before they return. When their future is dropped, a change that has not begun need not be made; one that
/// has begun is neither undone nor loses its event.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait SessionRepository: Send + Sync {
    /// Stores a new session as `ChatSession::open` makes it, with its event at `seq` 1, whose actor is the creator, and
    /// the statistics.
    ///
    /// A key is remembered per `creator`. A repetition with the same fingerprint MUST answer the first session as it
    /// was opened, with `replayed`, also when both run at the same time; with another fingerprint it MUST fail with
    /// `Conflict(IdempotencyKeyReused)`.
    async fn open(&self, session: NewSession, creator: Principal, idempotency: Option<Idempotency>) -> Result<Opened>;

    /// The session of that id, if there is one.
    async fn find(&self, id: SessionId) -> Result<Option<ChatSession>>;

    /// A page of the sessions that the query admits, newest `started_at` first, ties by descending id, with their
    /// total number. A page beyond the end MUST be empty and cost no more than another.
    async fn list(&self, query: &SessionQuery) -> Result<SessionPage>;

    /// Changes a session as `SessionChange::decide` says, under the session's lock, with its event and the statistics.
    ///
    /// MUST fail, changing nothing, in this order: `NotFound(Session)`; `Forbidden(AgentDeactivated)` when the asker is an
    /// agent whom the directory has deactivated by now; what `policy::authorize` refuses; `NotFound(Agent)` when the receiving agent is not in the directory or deactivated; what the state does not
    /// allow. Of concurrent assignments of one session exactly one MUST succeed.
    async fn change(&self, id: SessionId, change: SessionChange) -> Result<ChatSession>;
}
