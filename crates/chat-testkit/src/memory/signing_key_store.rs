//! The signing key of a store in memory: no database is a copy of it.

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::SigningKey;
use chat_domain::ports::SigningKeyStore;

use super::MemoryStore;

/// The secret of all stores in memory, for tests only.
const SECRET: [u8; 32] = [7; 32];

#[async_trait]
impl SigningKeyStore for MemoryStore {
    async fn signing_key(&self) -> Result<SigningKey> {
        // Its place in memory is its name: no other store has it meanwhile.
        let place = format!("{self:p}");
        Ok(SigningKey::derive(&SECRET, &place, &self.current_epoch()))
    }
}
