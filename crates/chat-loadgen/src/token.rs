//! Bearer tokens: a token that was given, or tokens that are signed here for the people that a run needs.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::error::LoadError;
use crate::token_signer::TokenSigner;

/// How long a signed token is valid: longer than any run.
const LIFETIME: Duration = Duration::from_hours(24);

/// The role in a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenRole {
    /// A customer, who opens sessions.
    User,
    /// A support agent.
    Agent,
    /// An administrator, who may read every session.
    Admin,
}

impl TokenRole {
    fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Agent => "agent",
            Self::Admin => "admin",
        }
    }
}

/// Where tokens come from.
#[derive(Clone)]
pub enum Tokens {
    /// All use this one.
    Given(String),
    /// Each person's is signed with this key.
    Signed(TokenSigner),
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

impl Tokens {
    /// A token with this `sub` and `role`, valid for a day; or the given one, whatever it has.
    ///
    /// # Errors
    /// The token cannot be signed.
    pub fn of(&self, sub: &str, role: TokenRole) -> Result<String, LoadError> {
        match self {
            Self::Given(token) => Ok(token.clone()),
            Self::Signed(signer) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                signer.sign(sub, role.as_str(), (now + LIFETIME).as_secs())
            }
        }
    }
}
