//! Checks a bearer token: a JSON Web Token (RFC 7519) signed with HMAC-SHA-256.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chat_domain::model::{Principal, Role, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;

use super::claims;
use super::remembered_tokens::RememberedTokens;
use crate::unique_json::UniqueJson;

/// The most bytes a token has.
const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// The most bytes the id of a key has.
const MAX_KEY_ID_BYTES: usize = 256;
/// Header parameters by which a token would choose its own key or ask for processing that is not done here
/// (RFC 7515, 4.1).
const REFUSED_HEADERS: [&str; 6] = ["jwk", "jku", "x5u", "x5c", "crit", "b64"];

/// What a token has to say beyond its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRules {
    /// The issuer (`iss`) that is required, if any.
    pub issuer: Option<String>,
    /// The audience (`aud`) that is required, if any.
    pub audience: Option<String>,
    /// Where the role stands: a claim's name, or a path with dots such as `realm_access.roles`.
    pub role_claim: String,
    /// Foreign names of roles.
    pub role_names: HashMap<String, Role>,
}

impl Default for TokenRules {
    fn default() -> Self {
        Self { issuer: None, audience: None, role_claim: "role".to_owned(), role_names: HashMap::new() }
    }
}

/// A token that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedToken {
    /// Whom it names.
    pub principal: Principal,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Why a token was refused. The caller hears the same answer for all but an expired one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is no token that this server accepts.
    #[error("the bearer token is not valid")]
    Invalid,
    /// It was one, until its `exp`.
    #[error("the bearer token has expired")]
    Expired,
}

/// Accepts or refuses tokens. One algorithm and one key, chosen by the operator and never by the token.
#[derive(Clone)]
pub struct TokenVerifier {
    key: DecodingKey,
    rules: TokenRules,
    remembered: Arc<RememberedTokens>,
}

impl TokenVerifier {
    /// Accepts tokens signed with HS256 and this secret, which should have at least 32 bytes (RFC 7518, 3.2).
    pub fn hs256(secret: &[u8], rules: TokenRules) -> Self {
        Self { key: DecodingKey::from_secret(secret), rules, remembered: Arc::default() }
    }

    /// Checks a token at the moment `now`. `exp` is exact, `nbf` has 30 seconds of leeway.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<VerifiedToken, TokenError> {
        if let Some(verified) = self.remembered.get(token, now) {
            return Ok(verified);
        }
        let verified = self.check(token, now)?;
        self.remembered.keep(token, &verified);
        Ok(verified)
    }

    fn check(&self, token: &str, now: Timestamp) -> Result<VerifiedToken, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Invalid);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Invalid)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenError::Invalid)?;
        if claims.contains('.') || !header_is_acceptable(&json(header)?) {
            return Err(TokenError::Invalid);
        }
        let genuine = jsonwebtoken::crypto::verify(signature, signed.as_bytes(), &self.key, Algorithm::HS256);
        if !genuine.unwrap_or(false) {
            return Err(TokenError::Invalid);
        }
        claims::read(&json(claims)?, &self.rules, now)
    }
}

fn json(part: &str) -> Result<Value, TokenError> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Invalid)?;
    serde_json::from_slice::<UniqueJson>(&bytes).map(|json| json.0).map_err(|_| TokenError::Invalid)
}

fn header_is_acceptable(header: &Value) -> bool {
    let Some(header) = header.as_object() else { return false };
    let algorithm_fits = header.get("alg").and_then(Value::as_str) == Some("HS256");
    // With a single key its id does not matter, but it must be one.
    let key_id_fits = header.get("kid").is_none_or(|kid| kid.as_str().is_some_and(|kid| kid.len() <= MAX_KEY_ID_BYTES));
    algorithm_fits && key_id_fits && !REFUSED_HEADERS.iter().any(|name| header.contains_key(*name))
}
