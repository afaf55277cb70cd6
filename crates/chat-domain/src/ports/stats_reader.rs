//! Where the statistics are read.

use async_trait::async_trait;

use crate::error::Result;
use crate::model::{Statistics, WaitingSessions};

/// Reads the statistics, which the repositories keep.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait StatsReader: Send + Sync {
    /// The figures, equal to what a recount of all sessions and messages gives, at a cost that does not grow with them.
    async fn read(&self) -> Result<Statistics>;

    /// The sessions that are open and have no agent, at a cost that does not grow with them.
    async fn waiting(&self) -> Result<WaitingSessions>;
}
