//! Checks a bearer token: a signed JSON Web Token in the compact form (RFC 7519; RFC 7515, 3.1).

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chat_domain::model::{Principal, Timestamp};
use serde_json::Value;
use tokio::time::timeout;

use crate::claims;
use crate::keys::{KeyHint, TokenAlgorithm, TokenKeys};
use crate::remembered_tokens::RememberedTokens;
use crate::remote::RemoteKeySet;
use crate::rules::TokenRules;
use crate::unique_json::UniqueJson;
use crate::unmapped_roles::UnmappedRoles;
use crate::verified_token::{MAX_TOKEN_KIB, TokenDefect, TokenError, VerifiedToken};

/// The most bytes the id of a key has.
const MAX_KEY_ID_BYTES: usize = 256;
/// Header parameters by which a token would choose its own key or ask for processing that is not done here
/// (RFC 7515, 4.1).
const REFUSED_HEADERS: [&str; 6] = ["jwk", "jku", "x5u", "x5c", "crit", "b64"];

/// How often the check of a token waits for a fetch of the key set: the fetch that runs when the check begins may have
/// begun before the key was published, and the next fetch may be that of another token.
const MAX_FETCHES: usize = 3;
/// How long it waits for them together. Anyone can send a token with an unknown key.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// Accepts or refuses tokens, with the operator's keys, each for its one algorithm. A token chooses neither.
#[derive(Clone)]
pub struct TokenVerifier {
    keys: KeySource,
    rules: Arc<TokenRules>,
    remembered: Arc<RememberedTokens>,
    unmapped: Arc<UnmappedRoles>,
}

#[derive(Clone)]
enum KeySource {
    Fixed(TokenKeys),
    Remote(Arc<RemoteKeySet>),
}

impl TokenVerifier {
    /// Accepts tokens that are signed with these keys.
    pub fn new(keys: TokenKeys, rules: TokenRules) -> Self {
        Self::with_source(KeySource::Fixed(keys), rules)
    }

    /// Accepts tokens that are signed with HS256 and this secret.
    pub fn hs256(secret: &[u8], rules: TokenRules) -> Self {
        Self::new(TokenKeys::secrets(secret, None), rules)
    }

    /// Accepts tokens that are signed with the keys of an identity provider. A key that is removed ends the tokens that
    /// were signed with it, also those that were accepted before.
    pub fn with_key_set(keys: Arc<RemoteKeySet>, rules: TokenRules) -> Self {
        Self::with_source(KeySource::Remote(keys), rules)
    }

    fn with_source(keys: KeySource, rules: TokenRules) -> Self {
        Self { keys, rules: Arc::new(rules), remembered: Arc::default(), unmapped: Arc::default() }
    }

    /// Checks a token at the moment `now` with the keys that are known. `exp` is exact, `nbf` has 30 seconds of leeway.
    ///
    /// # Errors
    /// Why it is refused. With [`TokenError::is_unknown_key`], [`Self::verify_or_fetch`] may accept it.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<VerifiedToken, TokenError> {
        let version = self.version();
        if let Some(verified) = self.remembered.get(token, version, now) {
            return Ok(verified);
        }
        let (verified, version) = self.check(token, now)?;
        self.remembered.keep(token, version, &verified);
        Ok(verified)
    }

    /// As `verify`; a token with an unknown key waits until the key set has been fetched, and is checked again.
    ///
    /// # Errors
    /// Why it is refused.
    pub async fn verify_or_fetch(&self, token: &str, now: impl Fn() -> Timestamp) -> Result<VerifiedToken, TokenError> {
        let verified = self.verify(token, now());
        if !verified.as_ref().is_err_and(TokenError::is_unknown_key) {
            return verified;
        }
        timeout(MAX_WAIT, self.fetch_and_verify(token, now)).await.unwrap_or(verified)
    }

    /// Whether the key that verified the person's token is still there. Always with keys that are fixed, and for a token
    /// that was verified where they are.
    pub fn has_key_of(&self, who: &Principal) -> bool {
        match (&self.keys, who.token_key) {
            (KeySource::Remote(keys), Some(key)) => keys.current().keys.has(key),
            (KeySource::Fixed(_), _) | (KeySource::Remote(_), None) => true,
        }
    }

    /// As `has_key_of`; if the key is not there, waits until the key set has been fetched as for a token, since another node
    /// may have found it first.
    pub async fn has_or_fetches_key_of(&self, who: &Principal) -> bool {
        let fetched = async {
            for _ in 0..MAX_FETCHES {
                if self.has_key_of(who) || !self.fetched_for_unknown_key().await {
                    break;
                }
            }
        };
        let _in_time = timeout(MAX_WAIT, fetched).await;
        self.has_key_of(who)
    }

    /// Verifies a token after each fetch until its key is known.
    async fn fetch_and_verify(&self, token: &str, now: impl Fn() -> Timestamp) -> Result<VerifiedToken, TokenError> {
        let mut verified = Err(TokenDefect::UnknownKey.into());
        for _ in 0..MAX_FETCHES {
            let is_unknown = verified.as_ref().is_err_and(TokenError::is_unknown_key);
            if !is_unknown || !self.fetched_for_unknown_key().await {
                break;
            }
            verified = self.verify(token, now());
        }
        verified
    }

    /// Waits until the key set has been fetched on account of an unknown key. Returns whether it was: not with keys that
    /// are fixed, and not if a fetch was caused in the last 30 seconds.
    async fn fetched_for_unknown_key(&self) -> bool {
        match &self.keys {
            KeySource::Fixed(_) => false,
            // Boxed, so that the usual way is small.
            KeySource::Remote(keys) => Box::pin(keys.fetched_for_unknown_key()).await,
        }
    }

    /// The version of the keys.
    fn version(&self) -> u64 {
        match &self.keys {
            KeySource::Fixed(_) => 0,
            KeySource::Remote(keys) => keys.version(),
        }
    }

    /// What a token says, and the version of the keys that it was checked with.
    fn check(&self, token: &str, now: Timestamp) -> Result<(VerifiedToken, u64), TokenError> {
        if token.len() > MAX_TOKEN_KIB * 1024 {
            return Err(TokenError::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenDefect::Format)?;
        let (header, claims) =
            signed.split_once('.').filter(|(_, claims)| !claims.contains('.')).ok_or(TokenDefect::Format)?;
        let header = json(header)?;
        let hint = self.hint(&header)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenDefect::Signature)?;
        let (key, version) = match &self.keys {
            KeySource::Fixed(keys) => (keys.current().verify(hint, signed.as_bytes(), &signature)?, 0),
            KeySource::Remote(keys) => {
                let current = keys.current();
                (current.keys.verify(hint, signed.as_bytes(), &signature)?, current.version)
            }
        };
        let mut verified = claims::read(&json(claims)?, &self.rules, &self.unmapped, now)?;
        verified.principal.token_key = key;
        Ok((verified, version))
    }

    /// What the header of a token says about its key.
    fn hint<'a>(&self, header: &'a Value) -> Result<KeyHint<'a>, TokenDefect> {
        let header = header.as_object().ok_or(TokenDefect::Format)?;
        let algorithm = header.get("alg").and_then(Value::as_str).and_then(TokenAlgorithm::parse);
        let algorithm = algorithm.filter(|algorithm| self.may_use(*algorithm)).ok_or(TokenDefect::Algorithm)?;
        if REFUSED_HEADERS.iter().any(|name| header.contains_key(*name)) {
            return Err(TokenDefect::Header);
        }
        let key_id = match header.get("kid") {
            None => None,
            Some(Value::String(id)) if id.len() <= MAX_KEY_ID_BYTES => Some(id.as_str()),
            Some(_) => return Err(TokenDefect::Header),
        };
        Ok(KeyHint { algorithm, key_id })
    }

    fn may_use(&self, algorithm: TokenAlgorithm) -> bool {
        match &self.keys {
            KeySource::Fixed(keys) => keys.may_use(algorithm),
            KeySource::Remote(_) => algorithm != TokenAlgorithm::Hs256,
        }
    }
}

fn json(part: &str) -> Result<Value, TokenDefect> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenDefect::Format)?;
    serde_json::from_slice::<UniqueJson>(&bytes).map(|json| json.0).map_err(|_| TokenDefect::Format)
}
