//! Checks a bearer token: a JSON Web Token (RFC 7519) signed with HMAC-SHA-256.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chat_domain::model::{Principal, Role, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;

use super::claims;
use super::remembered_tokens::RememberedTokens;
use super::unmapped_roles::UnmappedRoles;
use crate::unique_json::UniqueJson;

/// The most bytes a token has, in KiB.
const MAX_TOKEN_KIB: usize = 8;
/// How far ahead the end of a token lies at most, unless the operator sets another limit.
const MAX_LIFETIME: Duration = Duration::from_hours(365 * 24);
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
    /// The names of roles. Unless it is empty it is the whole truth: a name that it does not have is no role, also when
    /// it is one of ours.
    pub role_names: HashMap<String, Role>,
    /// How far ahead the end of a token (`exp`) lies at most.
    pub max_lifetime: Duration,
}

impl Default for TokenRules {
    fn default() -> Self {
        Self {
            issuer: None,
            audience: None,
            role_claim: "role".to_owned(),
            role_names: HashMap::new(),
            max_lifetime: MAX_LIFETIME,
        }
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

/// Why a token was refused. The reasons beyond `Invalid` depend on nothing but the token's length, or are given only for
/// a token with a genuine signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is no token that this server accepts.
    #[error("the bearer token is not valid")]
    Invalid,
    /// It was one, until its `exp`.
    #[error("the bearer token has expired")]
    Expired,
    /// It is longer than any token that this server reads.
    #[error("the bearer token is longer than {MAX_TOKEN_KIB} KiB, the limit of this server")]
    TooLong,
    /// Its `exp` lies further ahead than the operator allows.
    #[error(
        "the `exp` of the bearer token is more than {} ahead, the limit of this server; `exp` is in seconds since 1970, \
         not in milliseconds",
        in_words(.max_lifetime)
    )]
    EndsTooLate {
        /// The limit.
        max_lifetime: Duration,
    },
}

/// A limit in its largest whole unit: `365 days`.
fn in_words(limit: &Duration) -> String {
    let seconds = limit.as_secs();
    let units = [(86_400, "days"), (3_600, "hours"), (60, "minutes")];
    let unit = units.into_iter().find(|(unit, _)| seconds >= *unit && seconds.is_multiple_of(*unit));
    match unit {
        Some((unit, name)) => format!("{} {name}", seconds / unit),
        None => format!("{seconds} seconds"),
    }
}

/// Accepts or refuses tokens. One algorithm and one key, chosen by the operator and never by the token.
#[derive(Clone)]
pub struct TokenVerifier {
    key: DecodingKey,
    rules: TokenRules,
    remembered: Arc<RememberedTokens>,
    unmapped: Arc<UnmappedRoles>,
}

impl TokenVerifier {
    /// Accepts tokens signed with HS256 and this secret, which should have at least 32 bytes (RFC 7518, 3.2).
    pub fn hs256(secret: &[u8], rules: TokenRules) -> Self {
        let key = DecodingKey::from_secret(secret);
        Self { key, rules, remembered: Arc::default(), unmapped: Arc::default() }
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
        if token.len() > MAX_TOKEN_KIB * 1024 {
            return Err(TokenError::TooLong);
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
        claims::read(&json(claims)?, &self.rules, &self.unmapped, now)
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
