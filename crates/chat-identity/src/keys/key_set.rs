//! Keys, and which of them a token is verified with.

use chat_domain::model::TokenKeyDigest;

use super::algorithm::TokenAlgorithm;
use super::verifying_key::VerifyingKey;
use crate::verified_token::TokenDefect;

/// What the header of a token says about its key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyHint<'a> {
    pub(crate) algorithm: TokenAlgorithm,
    pub(crate) key_id: Option<&'a str>,
}

/// Keys, all secrets or all public.
#[derive(Debug, Default)]
pub(crate) struct KeySet {
    keys: Vec<VerifyingKey>,
    /// Whether a key that is not in it may appear later.
    is_published: bool,
}

impl KeySet {
    /// Keys that an operator configured. A single one has no need of an id: it is the key of each token, whatever `kid`
    /// it has.
    pub(crate) fn fixed(mut keys: Vec<VerifyingKey>) -> Self {
        if let [only] = keys.as_mut_slice() {
            only.id = None;
        }
        Self { keys, is_published: false }
    }

    /// Keys that an identity provider published, which may publish another key at any time: an id means one key.
    pub(crate) fn published(keys: Vec<VerifyingKey>) -> Self {
        Self { keys, is_published: true }
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether the key of this digest is in the set.
    pub(crate) fn has(&self, digest: TokenKeyDigest) -> bool {
        self.keys.iter().any(|key| key.digest() == Some(digest))
    }

    /// Whether one of the keys has made the signature. Returns the digest of that key if it may disappear from the set.
    ///
    /// A token with a `kid` is verified with the keys of that id and with those that have none, a token without one with
    /// all of its algorithm in turn.
    ///
    /// # Errors
    /// `UnknownKey` if the set has no key with the `kid` of the token, and another version of the set might;
    /// `Algorithm` if its key is for another algorithm; `Signature` if none of the keys made the signature.
    pub(crate) fn verify(
        &self,
        hint: KeyHint<'_>,
        signed: &[u8],
        signature: &[u8],
    ) -> Result<Option<TokenKeyDigest>, TokenDefect> {
        let has_id = |key: &VerifyingKey| key.id.is_some() && key.id.as_deref() == hint.key_id;
        let is_candidate = |key: &VerifyingKey| hint.key_id.is_none() || key.id.is_none() || has_id(key);
        let has_algorithm = |key: &VerifyingKey| is_candidate(key) && key.algorithm == hint.algorithm;
        if let Some(signer) = self.keys.iter().find(|key| has_algorithm(key) && key.verifies(signed, signature)) {
            return Ok(if self.is_published { signer.digest() } else { None });
        }
        let is_known = hint.key_id.is_none() || self.keys.iter().any(has_id);
        let has_ids = self.is_published || self.keys.iter().any(|key| key.id.is_some());
        if !is_known && has_ids {
            return Err(TokenDefect::UnknownKey);
        }
        if self.keys.iter().any(has_algorithm) { Err(TokenDefect::Signature) } else { Err(TokenDefect::Algorithm) }
    }
}
