//! Reading sessions for live inboxes.

use async_trait::async_trait;

use crate::error::Result;
use crate::inbox::{ActiveSession, InboxRange};
use crate::model::{ChatSession, Seq, SessionId};

/// The most sessions that are looked up together.
pub const MAX_FOUND: usize = 500;

/// The most sessions of a range that are looked at again after they have ended.
pub const MAX_ENDED: usize = 100;

/// Reads sessions as inboxes show them: see `SessionRepository::inbox`.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait InboxReader: Send + Sync {
    /// The sessions that there are of these ids, at most [`MAX_FOUND`], in no order. What was committed before the call
    /// MUST be seen.
    async fn find_many(&self, ids: Vec<SessionId>) -> Result<Vec<ChatSession>>;

    /// All active sessions of these ranges, each once for each range that it is in, each as it was at some moment after the
    /// call. Of a range that is read as a whole, at most `MAX_ACTIVE`. The cost MUST NOT grow with the sessions that are in
    /// none of the ranges.
    async fn active(&self, ranges: Vec<InboxRange>) -> Result<Vec<ActiveSession>>;

    /// The sessions of a range that ended last, at most [`MAX_ENDED`], with the position of their newest change.
    async fn ended(&self, range: InboxRange) -> Result<Vec<(SessionId, Seq)>>;
}
