//! Signs tokens: with a secret that the service has too, or with a private key whose public one it has.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

use crate::error::LoadError;

/// Which key, in PKCS #8 (RFC 5208), is one of RSA (RFC 8017, A.1): what stands before the key itself, apart from its
/// length. One of another kind is taken for one of the curve P-256.
const RSA_IN_PKCS8: [u8; 16] = [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0, 0x04];
/// Where that stands: behind a sequence of more than 255 bytes and the version.
const RSA_AT: usize = 7;

/// What all tokens of a run have.
#[derive(Clone, Debug, Default)]
pub struct SignedClaims {
    /// The id of the key, in the header.
    pub key_id: Option<String>,
    /// The `iss`.
    pub issuer: Option<String>,
    /// The `aud`.
    pub audience: Option<String>,
}

/// A key with its algorithm.
#[derive(Clone)]
pub struct TokenSigner {
    key: EncodingKey,
    algorithm: Algorithm,
    claims: SignedClaims,
}

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    role: &'a str,
    exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
}

impl TokenSigner {
    /// Signs with HS256 and this secret.
    pub fn secret(secret: &[u8], claims: SignedClaims) -> Self {
        Self { key: EncodingKey::from_secret(secret), algorithm: Algorithm::HS256, claims }
    }

    /// Signs with a private key in PEM: ES256 with one of the curve P-256, RS256 with one of RSA.
    ///
    /// # Errors
    /// It is no such key; the text says how to make one.
    pub fn private_key(pem: &str, claims: SignedClaims) -> Result<Self, LoadError> {
        let refused = || {
            LoadError::setup(
                "--key-file must name a private key in PEM of the curve P-256 or of RSA, such as \
                 `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256` makes; `openssl pkcs8 -topk8 -nocrypt` \
                 changes another form into this one",
            )
        };
        let pem = pem::parse(pem).map_err(|_| refused())?;
        let der = pem.contents();
        let (key, algorithm) = match (pem.tag(), inner_rsa_key(der)) {
            ("PRIVATE KEY", Some(inner)) => (EncodingKey::from_rsa_der(inner), Algorithm::RS256),
            ("RSA PRIVATE KEY", _) => (EncodingKey::from_rsa_der(der), Algorithm::RS256),
            ("PRIVATE KEY", None) => (EncodingKey::from_ec_der(der), Algorithm::ES256),
            _ => return Err(refused()),
        };
        let signer = Self { key, algorithm, claims };
        // A key that cannot sign is refused at the start of the run.
        signer.sign("trial", "user", 0).map_err(|_| refused())?;
        Ok(signer)
    }

    /// A token with these claims.
    ///
    /// # Errors
    /// It cannot be signed.
    pub(crate) fn sign(&self, sub: &str, role: &str, exp: u64) -> Result<String, LoadError> {
        let SignedClaims { key_id, issuer, audience } = &self.claims;
        let claims = Claims { sub, role, exp, iss: issuer.as_deref(), aud: audience.as_deref() };
        let header = Header { kid: key_id.clone(), ..Header::new(self.algorithm) };
        jsonwebtoken::encode(&header, &claims, &self.key)
            .map_err(|error| LoadError::setup(format!("cannot sign a token: {error}")))
    }
}

/// The key of RSA (PKCS #1) in one of PKCS #8, which the library does not take apart.
fn inner_rsa_key(der: &[u8]) -> Option<&[u8]> {
    let inner = der.get(RSA_AT..)?.strip_prefix(&RSA_IN_PKCS8)?;
    // The length of the string of bytes: two bytes behind 0x82.
    let [0x82, _, _, key @ ..] = inner else { return None };
    Some(key)
}
