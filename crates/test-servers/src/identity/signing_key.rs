//! Keys that sign tokens.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding,
    RsaKeyPair, RsaPublicKeyComponents,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::error::Error;

/// A key, the algorithm that it signs with, and the id that it is published under.
#[derive(Debug)]
pub struct TokenSigningKey {
    id: String,
    algorithm: &'static str,
    pair: SigningPair,
}

#[derive(Debug)]
enum SigningPair {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Secret(Box<hmac::Key>),
}

impl TokenSigningKey {
    /// A new key for one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 and `EdDSA`.
    ///
    /// # Errors
    /// The algorithm is none of these, or no key can be made.
    pub fn generate(algorithm: &'static str, id: &str) -> Result<Self, Error> {
        let failed = |_: Unspecified| no_key(algorithm);
        let rsa = || RsaKeyPair::generate(KeySize::Rsa2048).map(SigningPair::Rsa);
        let ec = |curve| EcdsaKeyPair::generate(curve).map(SigningPair::Ec);
        let pair = match algorithm {
            name if rsa_encoding(name).is_some() => rsa(),
            "ES256" => ec(&ECDSA_P256_SHA256_FIXED_SIGNING),
            "ES384" => ec(&ECDSA_P384_SHA384_FIXED_SIGNING),
            "EdDSA" => Ed25519KeyPair::generate().map(SigningPair::Ed),
            _ => Err(Unspecified),
        };
        Ok(Self { id: id.to_owned(), algorithm, pair: pair.map_err(failed)? })
    }

    /// A secret for HS256.
    pub fn secret(secret: &[u8]) -> Self {
        let pair = SigningPair::Secret(Box::new(hmac::Key::new(hmac::HMAC_SHA256, secret)));
        Self { id: "secret".to_owned(), algorithm: "HS256", pair }
    }

    /// What it signs with.
    pub fn algorithm(&self) -> &'static str {
        self.algorithm
    }

    /// What it is published under.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// A token with these claims, and a header that names the key.
    ///
    /// # Errors
    /// It cannot be signed.
    pub fn token(&self, claims: &str) -> Result<String, Error> {
        self.sign(&format!(r#"{{"alg":"{}","typ":"JWT","kid":"{}"}}"#, self.algorithm, self.id), claims)
    }

    /// A token with exactly this header and these claims.
    ///
    /// # Errors
    /// It cannot be signed.
    pub fn sign(&self, header: &str, claims: impl AsRef<[u8]>) -> Result<String, Error> {
        self.sign_with(self.algorithm, header, claims)
    }

    /// As `sign`, with another algorithm for the same kind of key: an RSA key can make the signatures of six.
    ///
    /// # Errors
    /// It cannot be signed.
    pub fn sign_with(&self, algorithm: &str, header: &str, claims: impl AsRef<[u8]>) -> Result<String, Error> {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = self.signature(algorithm, signed.as_bytes())?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    fn signature(&self, algorithm: &str, signed: &[u8]) -> Result<Vec<u8>, Error> {
        let random = SystemRandom::new();
        let failed = |_: Unspecified| no_key(algorithm);
        match &self.pair {
            SigningPair::Rsa(key) => {
                let encoding = rsa_encoding(algorithm).ok_or_else(|| no_key(algorithm))?;
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(encoding, &random, signed, &mut signature).map_err(failed)?;
                Ok(signature)
            }
            SigningPair::Ec(key) => Ok(key.sign(&random, signed).map_err(failed)?.as_ref().to_vec()),
            SigningPair::Ed(key) => Ok(key.sign(signed).as_ref().to_vec()),
            SigningPair::Secret(key) => Ok(hmac::sign(key, signed).as_ref().to_vec()),
        }
    }

    /// The public key as a JWK with `kid`, `use` and `alg`.
    ///
    /// # Errors
    /// The key is a secret.
    pub fn jwk(&self) -> Result<String, Error> {
        let (id, algorithm) = (&self.id, self.algorithm);
        self.jwk_with(&format!(r#""kid":"{id}","use":"sig","alg":"{algorithm}""#))
    }

    /// The public key as a JWK with these members beside those of the key itself, such as `"kid":"one"`.
    ///
    /// # Errors
    /// The key is a secret.
    pub fn jwk_with(&self, members: &str) -> Result<String, Error> {
        let key = match &self.pair {
            SigningPair::Rsa(key) => {
                let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(key.public_key());
                format!(r#""kty":"RSA","n":"{}","e":"{}""#, URL_SAFE_NO_PAD.encode(n), URL_SAFE_NO_PAD.encode(e))
            }
            SigningPair::Ec(key) => {
                // An uncompressed point: 4, then both coordinates.
                let point = key.public_key().as_ref().get(1..).unwrap_or_default();
                let (x, y) = point.split_at(point.len() / 2);
                let curve = if self.algorithm == "ES256" { "P-256" } else { "P-384" };
                let [x, y] = [x, y].map(|coordinate| URL_SAFE_NO_PAD.encode(coordinate));
                format!(r#""kty":"EC","crv":"{curve}","x":"{x}","y":"{y}""#)
            }
            SigningPair::Ed(key) => {
                format!(r#""kty":"OKP","crv":"Ed25519","x":"{}""#, URL_SAFE_NO_PAD.encode(key.public_key()))
            }
            SigningPair::Secret(_) => return Err(no_key(self.algorithm)),
        };
        let comma = if members.is_empty() { "" } else { "," };
        Ok(format!("{{{members}{comma}{key}}}"))
    }

    /// The public key as PEM (`SubjectPublicKeyInfo`).
    ///
    /// # Errors
    /// The key is a secret.
    pub fn public_pem(&self) -> Result<String, Error> {
        let der: Result<PublicKeyX509Der<'_>, Unspecified> = match &self.pair {
            SigningPair::Rsa(key) => key.public_key().as_der(),
            SigningPair::Ec(key) => key.public_key().as_der(),
            SigningPair::Ed(key) => key.public_key().as_der(),
            SigningPair::Secret(_) => Err(Unspecified),
        };
        let text = STANDARD.encode(der.map_err(|_| no_key(self.algorithm))?.as_ref());
        let lines: Vec<&str> =
            (0..text.len()).step_by(64).filter_map(|at| text.get(at..(at + 64).min(text.len()))).collect();
        Ok(format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n")))
    }
}

fn rsa_encoding(algorithm: &str) -> Option<&'static dyn RsaEncoding> {
    Some(match algorithm {
        "RS256" => &RSA_PKCS1_SHA256,
        "RS384" => &RSA_PKCS1_SHA384,
        "RS512" => &RSA_PKCS1_SHA512,
        "PS256" => &RSA_PSS_SHA256,
        "PS384" => &RSA_PSS_SHA384,
        "PS512" => &RSA_PSS_SHA512,
        _ => return None,
    })
}

fn no_key(algorithm: &str) -> Error {
    Error::failed("aws-lc", "no key or signature", algorithm)
}
