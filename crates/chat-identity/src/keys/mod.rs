//! The keys that tokens are verified with: read from text, each with its one algorithm, and chosen for a token.

mod algorithm;
mod error;
mod jwk_set;
mod key_file;
mod key_set;
mod pem_keys;
mod token_keys;
mod verifying_key;

pub(crate) use algorithm::TokenAlgorithm;
pub use error::KeyFileError;
pub(crate) use jwk_set::{MAX_KEYS, read_jwk_set};
pub(crate) use key_set::{KeyHint, KeySet};
pub use token_keys::TokenKeys;
