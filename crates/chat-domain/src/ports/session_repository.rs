//! Where sessions are kept.

use async_trait::async_trait;

use crate::error::Result;
use crate::inbox::{InboxPage, InboxQuery};
use crate::model::{
    ChatSession, Idempotency, NewSession, Principal, SessionChange, SessionId, SessionPage, SessionQuery,
};
use crate::write::{OpenSession, Opened, SessionWrite, WriteReply};

/// Keeps sessions.
///
/// A store implements [`write`](Self::write), [`find`](Self::find), [`list`](Self::list) and [`inbox`](Self::inbox); the
/// methods with a body are the writes by name.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait SessionRepository: Send + Sync {
    /// Decides and persists a write; see `MessageRepository::write`.
    async fn write(&self, write: SessionWrite) -> Result<WriteReply>;

    /// Stores a new session as `ChatSession::open` makes it, with its event at `seq` 1, whose actor is the creator, and
    /// the statistics.
    ///
    /// A key is remembered per `creator`. A repetition with the same fingerprint MUST answer the first session as it
    /// was opened, with `replayed`, also when both run at the same time; with another fingerprint it MUST fail with
    /// `Conflict(IdempotencyKeyReused)`.
    async fn open(&self, session: NewSession, creator: Principal, idempotency: Option<Idempotency>) -> Result<Opened> {
        let limit = None;
        self.write(SessionWrite::OpenSession(OpenSession { session, creator, idempotency, limit })).await?.opened()
    }

    /// Stores a new session as [`open`](Self::open) does, unless its owner has `limit` sessions open already. Of
    /// concurrent openings, on all nodes, exactly as many MUST succeed as there is room for. A repetition of a key MUST
    /// be answered as `open` says, also at the limit.
    ///
    /// # Errors
    /// `LimitReached`, changing nothing, besides those of `open`.
    async fn open_within(
        &self,
        limit: u32,
        session: NewSession,
        creator: Principal,
        idempotency: Option<Idempotency>,
    ) -> Result<Opened> {
        let limit = Some(limit);
        self.write(SessionWrite::OpenSession(OpenSession { session, creator, idempotency, limit })).await?.opened()
    }

    /// The session of that id, if there is one.
    async fn find(&self, id: SessionId) -> Result<Option<ChatSession>>;

    /// A page of the sessions that the query admits, newest `started_at` first, ties by descending id, with their total
    /// number. `next` MUST be set if and only if sessions come after the page; total, page and `next` MUST be of one
    /// moment. A page after a key MUST cost the same wherever the key is in the list. A page whose number is beyond the
    /// last MUST be empty and cost no more than the first.
    async fn list(&self, query: &SessionQuery) -> Result<SessionPage>;

    /// A page of a view of an inbox, and the counts of the inbox; see `inbox` for what is in a view and in which order. Page
    /// and counts MUST be of one moment. Each session MUST show its newest message and MUST have its last activity, also when
    /// it was stored by another node. A page MUST cost the same however many sessions there are: one with a filter looks at
    /// no more than `MAX_FILTERED` of them, and MUST then have `next` although it may be short or empty.
    async fn inbox(&self, query: &InboxQuery) -> Result<InboxPage>;

    /// Assigns, transfers, updates or closes a session, under the session's lock, with its event and the statistics.
    ///
    /// MUST fail, changing nothing, in this order: `NotFound(Session)`; `Forbidden(AgentDeactivated)` when the asker is
    /// an agent whom the directory has deactivated by now; what `policy::authorize` refuses; `NotFound(Agent)` when the
    /// receiving agent is not in the directory or deactivated; `VersionMismatch` when an update expects another version;
    /// what the state does not allow. Of concurrent assignments of one session exactly one MUST succeed, and so MUST of
    /// concurrent updates that change something and expect the same version.
    ///
    /// The session as it was opened MUST stay known, for repetitions of a key and for the event log.
    async fn change(&self, id: SessionId, change: SessionChange) -> Result<ChatSession> {
        Ok(self.write(SessionWrite::ChangeSession(id, change)).await?.changed()?.session)
    }
}
