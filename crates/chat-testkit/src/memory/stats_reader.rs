//! The statistics in memory.

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::Statistics;
use chat_domain::ports::StatsReader;

use super::MemoryStore;

#[async_trait]
impl StatsReader for MemoryStore {
    async fn read(&self) -> Result<Statistics> {
        Ok(self.lock().statistics)
    }
}
