//! Memory is always there.

use async_trait::async_trait;
use chat_domain::ports::HealthProbe;

use super::MemoryStore;

#[async_trait]
impl HealthProbe for MemoryStore {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn check(&self) -> Result<(), String> {
        Ok(())
    }
}
