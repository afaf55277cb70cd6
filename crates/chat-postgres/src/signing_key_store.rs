//! `SigningKeyStore`: the secret that the fan-out has too, with what tells this database from a copy of it.

use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::model::SigningKey;
use chat_domain::ports::SigningKeyStore;
use chat_domain::{ChatError, Result};

use crate::database::Database;
use crate::fanout_credentials;

/// Reads the key of the database.
pub struct PgSigningKeyStore {
    pub(crate) database: Arc<Database>,
}

#[async_trait]
impl SigningKeyStore for PgSigningKeyStore {
    async fn signing_key(&self) -> Result<SigningKey> {
        let credentials = self.database.read(fanout_credentials::current).await?;
        // A standby does not know the timeline of its primary, which is a part of the name.
        let credentials = credentials.ok_or_else(|| ChatError::unavailable("the database is a standby"))?;
        Ok(SigningKey::derive(credentials.key.expose(), &credentials.database, &credentials.epoch))
    }
}
