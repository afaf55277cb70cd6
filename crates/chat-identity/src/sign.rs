//! Makes tokens, for development and for operators; in production they come from the product beside this service.

use chat_domain::model::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

/// What a new token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenClaims {
    /// Whom it names.
    pub sub: String,
    /// The name of their role, as the token's reader names it; a token without one is that of a user.
    pub role: Option<String>,
    /// What they are called.
    pub name: Option<String>,
    /// Where a picture of them is.
    pub picture: Option<String>,
    /// Who issues it.
    pub issuer: Option<String>,
    /// Whom it is meant for.
    pub audience: Option<String>,
    /// When it is made.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A token could not be signed.
#[derive(Debug, thiserror::Error)]
#[error("the token could not be signed: {0}")]
pub struct SignError(String);

#[derive(Serialize)]
struct WireClaims<'a> {
    sub: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    picture: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
    iat: i64,
    exp: i64,
}

/// Signs a token with HS256, whole seconds, role, name and picture under the claims of these names.
pub fn sign_hs256(secret: &[u8], claims: &TokenClaims) -> Result<String, SignError> {
    let wire = WireClaims {
        sub: &claims.sub,
        role: claims.role.as_deref(),
        name: claims.name.as_deref(),
        picture: claims.picture.as_deref(),
        iss: claims.issuer.as_deref(),
        aud: claims.audience.as_deref(),
        iat: claims.issued_at.unix_ms().div_euclid(1_000),
        exp: claims.expires_at.unix_ms().div_euclid(1_000),
    };
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &wire, &EncodingKey::from_secret(secret))
        .map_err(|error| SignError(error.to_string()))
}
