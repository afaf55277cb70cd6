//! Where the secret lies under which the nodes of a database sign.

use async_trait::async_trait;

use crate::error::Result;
use crate::model::SigningKey;

/// Reads the key that belongs to the database.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait SigningKeyStore: Send + Sync {
    /// The key as it is now. All nodes of a database MUST get the same one, also after a restart. A copy of the database
    /// MUST get another key, as far as it can be told from its original, and so MUST a database whose epoch was
    /// rotated.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be asked.
    async fn signing_key(&self) -> Result<SigningKey>;
}
