//! `SigningKeyStore`: the secret row, with what tells this file from a copy of it.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::SigningKey;
use chat_domain::ports::SigningKeyStore;
use diesel::prelude::*;

use crate::database::Database;
use crate::error::Failure;
use crate::schema::chat_secret_key;
use crate::{epoch, instance};

/// Reads the key of the file.
pub struct SqliteSigningKeyStore {
    pub(crate) database: Arc<Database>,
    pub(crate) path: PathBuf,
}

#[async_trait]
impl SigningKeyStore for SqliteSigningKeyStore {
    async fn signing_key(&self) -> Result<SigningKey> {
        let place = instance::of_file(&self.path)?;
        self.database
            .read(move |connection| {
                let secret: Vec<u8> = chat_secret_key::table.select(chat_secret_key::key).first(connection)?;
                let secret = <[u8; 32]>::try_from(secret)
                    .map_err(|_| Failure::corrupt("chat_secret_key.key", "has not 32 bytes"))?;
                Ok(SigningKey::derive(&secret, place.as_str(), &epoch::current(connection)?))
            })
            .await
    }
}
