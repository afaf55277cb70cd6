//! A JWK Set (RFC 7517, 5). A key that cannot be used is passed over, as the standard asks: identity providers publish keys
//! for other purposes and of kinds that are not known here.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use serde::Deserialize;
use serde_json::Value;

use super::algorithm::TokenAlgorithm;
use super::verifying_key::{KeyProblem, VerifyingKey};

/// The most keys of a set that are looked at. Identity providers publish fewer than ten.
pub(crate) const MAX_KEYS: usize = 100;

/// The keys of a set that can be used, and why others cannot.
#[derive(Debug)]
pub(crate) struct JwkSetKeys {
    pub(crate) usable: Vec<VerifyingKey>,
    /// Why others cannot be used, each with its place, which begins at 1.
    pub(crate) passed_over: Vec<(usize, KeyProblem)>,
    /// How many keys the set has, those beyond the limit among them.
    pub(crate) found: usize,
}

impl JwkSetKeys {
    /// The reasons in words.
    pub(crate) fn reasons(&self) -> Vec<String> {
        self.passed_over.iter().map(|(number, problem)| format!("key {number}: {problem}")).collect()
    }
}

#[derive(Deserialize)]
struct WireSet {
    keys: Vec<Value>,
}

/// Reads the keys of a set.
///
/// # Errors
/// The text is no JWK Set.
pub(crate) fn read_jwk_set(text: &[u8]) -> Result<JwkSetKeys, serde_json::Error> {
    let set: WireSet = serde_json::from_slice(text)?;
    let found = set.keys.len();
    let (mut usable, mut passed_over) = (Vec::new(), Vec::new());
    for (index, key) in set.keys.into_iter().take(MAX_KEYS).enumerate() {
        // The private part of a key of any kind (RFC 7518, 6.2.2.1 and 6.3.2.1; RFC 8037, 2).
        let read = if key.get("d").is_some() {
            Err(KeyProblem::Private)
        } else {
            serde_json::from_value::<Jwk>(key).map_err(|_| KeyProblem::Malformed).and_then(|key| read_key(&key))
        };
        match read {
            Ok(key) => usable.push(key),
            Err(problem) => passed_over.push((index + 1, problem)),
        }
    }
    Ok(JwkSetKeys { usable, passed_over, found })
}

fn read_key(jwk: &Jwk) -> Result<VerifyingKey, KeyProblem> {
    let is_for_signatures = jwk.common.public_key_use.as_ref().is_none_or(|use_| *use_ == PublicKeyUse::Signature)
        && jwk.common.key_operations.as_ref().is_none_or(|operations| operations.contains(&KeyOperations::Verify));
    if !is_for_signatures {
        return Err(KeyProblem::Use);
    }
    let named = match jwk.common.key_algorithm {
        Some(algorithm) => Some(TokenAlgorithm::parse(&algorithm.to_string()).ok_or(KeyProblem::Algorithm)?),
        None => None,
    };
    let id = jwk.common.key_id.clone();
    match &jwk.algorithm {
        AlgorithmParameters::RSA(key) => {
            let (modulus, exponent) = (decode(&key.n)?, decode(&key.e)?);
            VerifyingKey::rsa(id, named.unwrap_or(TokenAlgorithm::Rs256), &modulus, &exponent)
        }
        AlgorithmParameters::EllipticCurve(key) => {
            let (algorithm, coordinate) = match key.curve {
                EllipticCurve::P256 => (TokenAlgorithm::Es256, 32),
                EllipticCurve::P384 => (TokenAlgorithm::Es384, 48),
                _ => return Err(KeyProblem::Malformed),
            };
            let (x, y) = (decode(&key.x)?, decode(&key.y)?);
            if x.len() != coordinate || y.len() != coordinate {
                return Err(KeyProblem::Malformed);
            }
            // An uncompressed point (SEC 1, 2.3.3).
            VerifyingKey::public(id, only(algorithm, named)?, &[&[4], x.as_slice(), &y].concat())
        }
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            let bytes = decode(&key.x).ok().filter(|bytes| bytes.len() == 32).ok_or(KeyProblem::Malformed)?;
            VerifyingKey::public(id, only(TokenAlgorithm::EdDsa, named)?, &bytes)
        }
        AlgorithmParameters::OctetKey(_) => Err(KeyProblem::Secret),
        _ => Err(KeyProblem::Malformed),
    }
}

/// The only algorithm of a curve, if the key names no other one.
fn only(algorithm: TokenAlgorithm, named: Option<TokenAlgorithm>) -> Result<TokenAlgorithm, KeyProblem> {
    match named {
        Some(named) if named != algorithm => Err(KeyProblem::Algorithm),
        _ => Ok(algorithm),
    }
}

fn decode(text: &str) -> Result<Vec<u8>, KeyProblem> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| KeyProblem::Malformed)
}
