//! The durable changes of a session in order, as the stores keep them.

use async_trait::async_trait;

use crate::error::Result;
use crate::model::{Epoch, MessageId, Seq, SessionEvent, SessionId};

/// The most sessions that are asked for in one call of [`EventLog::heads`].
pub const MAX_HEADS: usize = 1_000;

/// Reads the past of a session.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait EventLog: Send + Sync {
    /// The position of the newest change; `None` when there is no such session.
    async fn head(&self, session: SessionId) -> Result<Option<Seq>>;

    /// The positions of the newest changes of those of `sessions` that exist, in any order, with one look. At most
    /// `MAX_HEADS` are asked for at a time.
    async fn heads(&self, sessions: Vec<SessionId>) -> Result<Vec<(SessionId, Seq)>>;

    /// The changes right after `after`, oldest first, at most `limit`. Their positions MUST be `after + 1`, `+ 2` …
    /// without gap; fewer than `limit` means that the end was reached. An unknown session has no changes.
    ///
    /// An event is what was published: a message as it was sent, a session with its counters as they were then, the key
    /// with it. One of a kind that this version does not know MUST be `Change::Unknown`, and values that it does not know
    /// inside a known one MUST NOT make it unreadable.
    async fn read(&self, session: SessionId, after: Seq, limit: u32) -> Result<Vec<SessionEvent>>;

    /// The position of a message; `None` when it is not a message of this session.
    async fn position_of(&self, session: SessionId, message: MessageId) -> Result<Option<Seq>>;

    /// The history that the positions belong to. It changes when the operator says so, and only then.
    async fn epoch(&self) -> Result<Epoch>;
}
