//! TLS to identity providers: whose certificates are trusted.

use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

/// Where systems keep their authorities. `SSL_CERT_FILE` and `SSL_CERT_DIR` replace these for the loader, and here they
/// add to them.
const SYSTEM_FILES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// A connector that trusts the system's authorities and those of `SSL_CERT_FILE` and `SSL_CERT_DIR`. They are read once.
pub(super) fn connector() -> Result<TlsConnector, String> {
    let mut authorities = RootCertStore::empty();
    // Systems have certificates that this library cannot parse; the others are used.
    authorities.add_parsable_certificates(certificates());
    // Named, so that nothing depends on what else in the process installs one.
    let config = ClientConfig::builder_with_provider(Arc::new(crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(authorities)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn certificates() -> Vec<CertificateDer<'static>> {
    let mut certificates = rustls_native_certs::load_native_certs().certs;
    let system = SYSTEM_FILES.map(std::path::Path::new).into_iter().find(|path| path.exists());
    certificates.extend(rustls_native_certs::load_certs_from_paths(system, None).certs);
    certificates.sort_unstable_by(|one, other| one.as_ref().cmp(other.as_ref()));
    certificates.dedup();
    certificates
}
