//! The statistics in memory.

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::{Statistics, WaitingSessions};
use chat_domain::ports::StatsReader;

use super::MemoryStore;

#[async_trait]
impl StatsReader for MemoryStore {
    async fn read(&self) -> Result<Statistics> {
        Ok(self.lock().statistics)
    }

    async fn waiting(&self) -> Result<WaitingSessions> {
        let state = self.lock();
        let sessions = state.sessions.values().map(|record| &record.session);
        let waiting: Vec<_> = sessions.filter(|session| session.is_active() && session.agent().is_none()).collect();
        let oldest = waiting.iter().map(|session| session.started_at).min();
        Ok(WaitingSessions { count: waiting.len() as u64, oldest })
    }
}
