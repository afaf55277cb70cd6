//! What the check of a token comes to.

use std::time::Duration;

use chat_domain::model::{Principal, Timestamp};

use crate::in_words::in_words;

/// The most bytes a token has, in KiB.
pub(super) const MAX_TOKEN_KIB: usize = 8;

/// A token that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedToken {
    /// Whom it names.
    pub principal: Principal,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Why a token was refused. `Display` is for the caller: the errors beyond `Invalid` depend on nothing but the token's
/// length, or are returned only for a token with a genuine signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is no token that this server accepts. The defect is for the log of the operator, and not for the caller.
    #[error("the bearer token is not valid")]
    Invalid(TokenDefect),
    /// It was one, until its `exp`.
    #[error("the bearer token has expired")]
    Expired,
    /// It is longer than any token that this server reads.
    #[error("the bearer token is longer than {MAX_TOKEN_KIB} KiB, the limit of this server")]
    TooLong,
    /// It lives longer than the operator allows.
    #[error(
        "the `exp` of the bearer token is more than {} ahead of now or of its `iat`, the limit of this server; `exp` \
         is in seconds since 1970, not in milliseconds",
        in_words(*.max_lifetime)
    )]
    EndsTooLate {
        /// The limit.
        max_lifetime: Duration,
    },
}

impl TokenError {
    /// What an operator must know to find out why a token was refused. It contains nothing of the token.
    pub fn reason(&self) -> String {
        match self {
            Self::Invalid(defect) => defect.to_string(),
            Self::Expired | Self::TooLong | Self::EndsTooLate { .. } => self.to_string(),
        }
    }

    /// Whether the token names a key that this server does not have, and may have after the next look.
    pub fn is_unknown_key(&self) -> bool {
        *self == Self::Invalid(TokenDefect::UnknownKey)
    }

    /// Whether the token was signed with another key, or changed.
    pub fn is_wrong_signature(&self) -> bool {
        *self == Self::Invalid(TokenDefect::Signature)
    }
}

/// What is wrong with a token that is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenDefect {
    /// It is no JSON Web Token.
    #[error("the token is not three parts of base64url without padding, of which the first two are JSON objects")]
    Format,
    /// It is signed in another way.
    #[error("the `alg` of the token is not the one of its key, or no algorithm that this server accepts")]
    Algorithm,
    /// Its header has a parameter that is not accepted.
    #[error(
        "the header of the token has `kid` in another form than a short string, or one of jwk, jku, x5u, x5c, crit, b64"
    )]
    Header,
    /// It was not signed with a key of this server.
    #[error(
        "the signature of the token is wrong: it was signed with another key than those of this server, or changed"
    )]
    Signature,
    /// It names a key that this server does not have.
    #[error("the `kid` of the token names no key of this server")]
    UnknownKey,
    /// A claim is missing or has another type.
    #[error("the claim `{0}` of the token is missing, or its value is not valid")]
    Claim(&'static str),
    /// It is not valid yet.
    #[error("the `nbf` of the token is more than {} seconds ahead", .leeway.as_secs())]
    NotYet {
        /// How far ahead it may be.
        leeway: Duration,
    },
    /// It was issued by another party.
    #[error("the `iss` of the token is not the one of CHAT_JWT_ISSUER or CHAT_OIDC_ISSUER")]
    Issuer,
    /// It is for another party.
    #[error("the `aud` of the token is missing, or does not contain the one of CHAT_JWT_AUDIENCE")]
    Audience,
    /// Its `sub` is no id of a person.
    #[error("the `sub` of the token is not 1 to 128 characters that an id may have")]
    Subject,
}

impl From<TokenDefect> for TokenError {
    fn from(defect: TokenDefect) -> Self {
        Self::Invalid(defect)
    }
}
