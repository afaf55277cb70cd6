//! Who is calling: the bearer token of a request and the person it names.

mod caller;
mod claims;
mod remembered_tokens;
mod sign;
mod token;

pub(crate) use caller::Caller;
pub use sign::{SignError, TokenClaims, sign_hs256};
pub use token::{TokenError, TokenRules, TokenVerifier, VerifiedToken};
