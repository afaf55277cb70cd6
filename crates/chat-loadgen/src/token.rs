//! Bearer tokens: one that was given, or ones that are signed here for the people a run needs.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

use crate::error::LoadError;

/// How long a signed token is valid: longer than any run.
const LIFETIME: Duration = Duration::from_hours(24);

/// Who sends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// A customer, who opens sessions.
    User,
    /// A support agent.
    Agent,
    /// Who may see everything.
    Admin,
}

impl Role {
    fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Agent => "agent",
            Self::Admin => "admin",
        }
    }
}

/// Where tokens come from.
#[derive(Clone, PartialEq, Eq)]
pub enum Tokens {
    /// Everyone uses this one.
    Given(String),
    /// Each person's is signed with HS256 and this secret.
    Signed(Vec<u8>),
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Neither a token nor a secret belongs into a log.
        out.write_str(match self {
            Self::Given(_) => "Given(…)",
            Self::Signed(_) => "Signed(…)",
        })
    }
}

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    role: &'a str,
    exp: u64,
}

impl Tokens {
    /// A token that says `sub` and `role`, valid for a day; or the given one, whoever it names.
    ///
    /// # Errors
    /// The token cannot be signed.
    pub fn of(&self, sub: &str, role: Role) -> Result<String, LoadError> {
        match self {
            Self::Given(token) => Ok(token.clone()),
            Self::Signed(secret) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                let claims = Claims { sub, role: role.as_str(), exp: (now + LIFETIME).as_secs() };
                jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(secret))
                    .map_err(|error| LoadError::setup(format!("cannot sign a token: {error}")))
            }
        }
    }
}
