//! The secret under which a database's nodes sign what they give to clients and do not store.

use std::fmt;

use sha2::{Digest, Sha256};

use super::Epoch;

/// What the key is for, as the derivation names it.
const PURPOSE: &[u8] = b"chat-server signing key v1";

/// A secret key that all nodes of a database have and no copy of the database has. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey([u8; 32]);

impl SigningKey {
    /// The key of the database that holds `secret`, has the name `database`, which a copy of it does not have, and serves
    /// this history.
    ///
    /// The secret alone is in every copy of the database, so what is signed by a copy would be accepted by the original.
    /// This is the one-step key derivation of NIST SP 800-56C, 4.1, with SHA-256. Each part has its length before it.
    pub fn derive(secret: &[u8; 32], database: &str, epoch: &Epoch) -> Self {
        let mut hash = Sha256::new();
        // The counter of the only round.
        hash.update(1_u32.to_be_bytes());
        for part in [secret, PURPOSE, database.as_bytes(), epoch.as_str().as_bytes()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }

    /// The 32 secret bytes.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_depends_on_the_secret_the_database_and_the_history() {
        let epoch = |text| Epoch::parse(text).unwrap();
        let key = SigningKey::derive(&[7; 32], "here", &epoch("first"));
        assert_eq!(SigningKey::derive(&[7; 32], "here", &epoch("first")), key);
        for other in [
            SigningKey::derive(&[8; 32], "here", &epoch("first")),
            SigningKey::derive(&[7; 32], "there", &epoch("first")),
            SigningKey::derive(&[7; 32], "here", &epoch("second")),
            SigningKey::derive(&[7; 32], "heref", &epoch("irst")),
        ] {
            assert_ne!(other, key);
        }
        assert_eq!(format!("{key:?}"), "SigningKey(secret)");
    }
}
