//! What nodes of one database know each other by.

use std::fmt;

use super::Epoch;

/// The secret key under which nodes authenticate what they tell each other. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct FanoutKey([u8; 32]);

impl FanoutKey {
    /// A key that was kept.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 secret bytes.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for FanoutKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FanoutKey(secret)")
    }
}

/// By these a node tells what comes from nodes of its own database from everything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FanoutCredentials {
    /// Names the database by where it is: a copy of it has another name, as far as the database can tell. No secret.
    pub database: String,
    /// The history that the database holds.
    pub epoch: Epoch,
    /// The key, which a copy of the database has too.
    pub key: FanoutKey,
}
