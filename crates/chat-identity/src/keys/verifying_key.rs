//! One key, for one algorithm.

use std::fmt;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::hmac;
use aws_lc_rs::rsa::PublicKey;
use aws_lc_rs::signature::{ParsedPublicKey, RsaPublicKeyComponents};
use chat_domain::model::TokenKeyDigest;

use super::algorithm::TokenAlgorithm;

/// The sizes of RSA keys that signatures are accepted of (NIST SP 800-131A asks for the lower one), in bytes.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// A key and the only algorithm that it verifies. What the key itself is for was decided when it was configured or
/// published; the token has no say in it (RFC 8725, 3.1).
pub(crate) struct VerifyingKey {
    /// The `kid` that tokens name it by. A key without one may be that of any token.
    pub(super) id: Option<String>,
    pub(super) algorithm: TokenAlgorithm,
    material: KeyMaterial,
}

enum KeyMaterial {
    Secret(Box<hmac::Key>),
    Public(ParsedPublicKey),
}

/// Why a key cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyProblem {
    /// Its bytes are not those of a key of its kind.
    #[error("it is not a public key of RSA, P-256, P-384 or Ed25519")]
    Malformed,
    /// Signatures of such a key are refused.
    #[error("its RSA modulus has {bits} bits; 2048 to 8192 are accepted")]
    RsaSize {
        /// How many it has.
        bits: usize,
    },
    /// The algorithm is for another kind of key, or for none here.
    #[error("its `alg` is not one for signatures with a key of its kind")]
    Algorithm,
    /// It is meant for another purpose.
    #[error("its `use` or `key_ops` say that it does not verify signatures")]
    Use,
    /// Private keys belong to the issuer alone; a private key that is published or copied is no secret any more.
    #[error("it is a private key (it has `d`), which no verifier needs")]
    Private,
    /// A remote party must not choose a secret, which every reader of the key set would know.
    #[error("it is a shared secret (`oct`), which is no public key")]
    Secret,
}

impl VerifyingKey {
    /// A shared secret, for HS256.
    pub(crate) fn secret(secret: &[u8]) -> Self {
        let material = KeyMaterial::Secret(Box::new(hmac::Key::new(hmac::HMAC_SHA256, secret)));
        Self { id: None, algorithm: TokenAlgorithm::Hs256, material }
    }

    /// A public key: a `SubjectPublicKeyInfo` (RFC 5280, 4.1), an RSA key of PKCS #1, a point of a curve, or the bytes of
    /// an Ed25519 key.
    ///
    /// # Errors
    /// It is no key for this algorithm.
    pub(super) fn public(id: Option<String>, algorithm: TokenAlgorithm, bytes: &[u8]) -> Result<Self, KeyProblem> {
        let verification = algorithm.verification().ok_or(KeyProblem::Algorithm)?;
        if algorithm.is_rsa() {
            let key = PublicKey::from_der(bytes).map_err(|_| KeyProblem::Malformed)?;
            let size = RsaPublicKeyComponents::<Vec<u8>>::from(&key).n.len();
            if !RSA_BYTES.contains(&size) {
                return Err(KeyProblem::RsaSize { bits: size * 8 });
            }
        }
        let key = ParsedPublicKey::new(verification, bytes).map_err(|_| KeyProblem::Malformed)?;
        Ok(Self { id, algorithm, material: KeyMaterial::Public(key) })
    }

    /// An RSA key from its modulus and exponent, big-endian.
    ///
    /// # Errors
    /// They are none, or the algorithm is for another kind of key.
    pub(super) fn rsa(
        id: Option<String>,
        algorithm: TokenAlgorithm,
        modulus: &[u8],
        exponent: &[u8],
    ) -> Result<Self, KeyProblem> {
        if !algorithm.is_rsa() {
            return Err(KeyProblem::Algorithm);
        }
        // Some issuers write the zero in front that a signed integer needs.
        let [n, e] = [modulus, exponent].map(without_leading_zeros);
        let der = RsaPublicKeyComponents { n, e }.as_der().map_err(|_| KeyProblem::Malformed)?;
        Self::public(id, algorithm, der.as_ref())
    }

    /// The digest of a public key, as it was read; `None` for a secret.
    pub(super) fn digest(&self) -> Option<TokenKeyDigest> {
        match &self.material {
            KeyMaterial::Secret(_) => None,
            KeyMaterial::Public(key) => Some(TokenKeyDigest::of(key.as_ref())),
        }
    }

    /// Whether this key has made the signature.
    pub(super) fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            KeyMaterial::Secret(key) => hmac::verify(key, signed, signature).is_ok(),
            KeyMaterial::Public(key) => key.verify_sig(signed, signature).is_ok(),
        }
    }
}

impl fmt::Debug for VerifyingKey {
    /// Without the key, which may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey").field("id", &self.id).field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

fn without_leading_zeros(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}
