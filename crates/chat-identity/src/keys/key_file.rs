//! A file of public keys: PEM, or a JWK Set.

use super::error::KeyFileError;
use super::jwk_set::{MAX_KEYS, read_jwk_set};
use super::key_set::KeySet;
use super::pem_keys::read_pem_keys;
use super::verifying_key::KeyProblem;

/// Reads the keys of a file.
///
/// # Errors
/// The file holds no public key that can be used. In PEM, each part must be such a key. A JWK Set may hold other keys
/// too, but no private key.
pub(super) fn read_key_file(text: &str) -> Result<KeySet, KeyFileError> {
    let keys = if text.trim_start().starts_with('{') {
        let set = read_jwk_set(text.trim().as_bytes()).map_err(|error| KeyFileError::JwkSet(error.to_string()))?;
        if set.found > MAX_KEYS {
            return Err(KeyFileError::TooManyKeys { found: set.found, most: MAX_KEYS });
        }
        // It is out of place here, whatever else the file holds.
        if let Some((number, _)) = set.passed_over.iter().find(|(_, problem)| *problem == KeyProblem::Private) {
            return Err(KeyFileError::PrivateKey { number: *number });
        }
        if set.usable.is_empty() {
            let reasons = set.reasons();
            let reasons = if reasons.is_empty() { "it has none".to_owned() } else { reasons.join("; ") };
            return Err(KeyFileError::NoUsableKey(reasons));
        }
        set.usable
    } else {
        read_pem_keys(text)?
    };
    if keys.is_empty() {
        return Err(KeyFileError::NoKeys);
    }
    Ok(KeySet::fixed(keys))
}
