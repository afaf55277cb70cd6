//! Where the keys of this server come from: fixed at start, or a key set that is kept current.

use std::sync::Arc;

use super::algorithm::TokenAlgorithm;
use super::error::KeyFileError;
use super::key_file::read_key_file;
use super::key_set::KeySet;
use super::verifying_key::VerifyingKey;

/// The keys that tokens are verified with. All are secrets, or all are public keys: were there both, the public key of one
/// deployment could be used as the secret of a forged token.
#[derive(Clone, Debug)]
pub struct TokenKeys {
    keys: Arc<KeySet>,
    is_secret: bool,
}

impl TokenKeys {
    /// Tokens are signed with HS256 and one of these secrets: the current one, and the previous one while it is replaced.
    /// Each should have at least 32 bytes (RFC 7518, 3.2).
    pub fn secrets(current: &[u8], previous: Option<&[u8]>) -> Self {
        let keys = [Some(current), previous].into_iter().flatten().map(VerifyingKey::secret).collect();
        Self { keys: Arc::new(KeySet::fixed(keys)), is_secret: true }
    }

    /// Tokens are signed with one of the keys of a file: PEM (one key or several) or a JWK Set. An RSA key is for RS256
    /// unless the set names another algorithm.
    ///
    /// # Errors
    /// It holds no key that can be used.
    pub fn from_file(text: &str) -> Result<Self, KeyFileError> {
        Ok(Self { keys: Arc::new(read_key_file(text)?), is_secret: false })
    }

    pub(crate) fn current(&self) -> &KeySet {
        &self.keys
    }

    /// Whether tokens may be signed in this way at all.
    pub(crate) fn may_use(&self, algorithm: TokenAlgorithm) -> bool {
        (algorithm == TokenAlgorithm::Hs256) == self.is_secret
    }
}
