//! Bearer tokens (JSON Web Tokens, RFC 7519): which are accepted, with whose keys, and what they say.
//!
//! [`TokenVerifier`] checks a token against [`TokenKeys`], which are fixed at start or fetched from an identity provider
//! and kept current ([`RemoteKeySet`]), and reads its claims by the [`TokenRules`]. Who shows a token, and where, is not
//! known here.

mod claims;
mod download_tickets;
mod in_words;
mod keys;
mod remembered_tokens;
mod remote;
mod rules;
mod sign;
mod unique_json;
mod unmapped_roles;
mod verified_token;
mod verifier;

pub use download_tickets::{DOWNLOAD_TICKET_LIFETIME, DownloadTickets};
pub use in_words::in_words;
pub use keys::{KeyFileError, TokenKeys};
pub use remote::{KeySetError, KeySetLocation, KeySetSettings, RemoteKeySet};
pub use rules::TokenRules;
pub use sign::{SignError, TokenClaims, sign_hs256};
pub use unique_json::UniqueJson;
pub use verified_token::{TokenDefect, TokenError, VerifiedToken};
pub use verifier::TokenVerifier;
