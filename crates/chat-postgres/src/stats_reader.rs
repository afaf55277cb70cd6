//! `StatsReader`: the support desk in figures.

use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::{Statistics, WaitingSessions};
use chat_domain::ports::StatsReader;

use crate::counters;
use crate::database::Database;

/// Reads the statistics.
pub struct PgStatsReader {
    pub(crate) database: Arc<Database>,
}

#[async_trait]
impl StatsReader for PgStatsReader {
    async fn read(&self) -> Result<Statistics> {
        self.database.read(counters::statistics).await
    }

    async fn waiting(&self) -> Result<WaitingSessions> {
        self.database.read(counters::waiting).await
    }
}
