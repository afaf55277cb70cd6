//! TLS to Redis: whose certificates are trusted. They are always verified, with the name of the server.

use std::fmt;
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

use crate::error::RedisConfigError;

/// Authorities whose certificates are trusted besides those of the system's.
#[derive(Clone)]
pub struct PrivateAuthorities(RootCertStore);

impl Default for PrivateAuthorities {
    /// None.
    fn default() -> Self {
        Self(RootCertStore::empty())
    }
}

impl PrivateAuthorities {
    /// Reads certificates as PEM (RFC 7468, 5), at least one.
    ///
    /// # Errors
    /// [`RedisConfigError::Authorities`]: there are none, or one cannot be read.
    pub fn from_pem(pem: &[u8]) -> Result<Self, RedisConfigError> {
        let refused = |problem: String| RedisConfigError::Authorities { problem };
        let mut store = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| refused(error.to_string()))?;
            store.add(certificate).map_err(|error| refused(error.to_string()))?;
        }
        if store.is_empty() {
            return Err(refused("there are none".to_owned()));
        }
        Ok(Self(store))
    }
}

impl fmt::Debug for PrivateAuthorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateAuthorities({})", self.0.len())
    }
}

/// The TLS connector. The authorities are read once: new ones of the system are used from the next start on.
pub(crate) fn connector(private: PrivateAuthorities) -> Result<TlsConnector, RedisConfigError> {
    let PrivateAuthorities(mut authorities) = private;
    // Systems have certificates that this library cannot parse; the others are used.
    authorities.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if authorities.is_empty() {
        return Err(RedisConfigError::NoAuthorities);
    }
    // Named, so that nothing depends on what else in the process installs one.
    let config = ClientConfig::builder_with_provider(Arc::new(crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| RedisConfigError::Authorities { problem: error.to_string() })?
        .with_root_certificates(authorities)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_authority_certificate_is_refused() {
        let half = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (pem, part) in [("", "there are none"), ("nonsense", "there are none"), (half, "certificate")] {
            let refusal = PrivateAuthorities::from_pem(pem.as_bytes()).unwrap_err().to_string();
            assert!(refusal.contains(part) && refusal.contains("PEM"), "{pem:?}: {refusal}");
        }
    }
}
