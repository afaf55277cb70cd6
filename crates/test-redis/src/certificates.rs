//! An authority and a server's certificate, made for one server and gone with it.

use std::fs;
use std::io;
use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use tempfile::TempDir;

use crate::error::Error;

/// The name that the server's certificate is for.
const NAME: &str = "localhost";

/// Files in a directory of their own.
#[derive(Debug)]
pub(crate) struct Certificates {
    directory: TempDir,
}

impl Certificates {
    pub(crate) fn make() -> Result<Self, Error> {
        let failed = |error: rcgen::Error| Error::Failed { program: "rcgen".to_owned(), output: error.to_string() };
        let mut authority = CertificateParams::new(Vec::new()).map_err(failed)?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Another name than the server's, or that one would seem to have signed itself, and than another authority's.
        let random = getrandom::u32().map_err(|error| Error::io("name an authority")(io::Error::other(error)))?;
        authority.distinguished_name.push(DnType::CommonName, format!("authority {random}"));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let authority =
            CertifiedIssuer::self_signed(authority, KeyPair::generate().map_err(failed)?).map_err(failed)?;
        let key = KeyPair::generate().map_err(failed)?;
        let server = CertificateParams::new(vec![NAME.to_owned()]).map_err(failed)?;
        let server = server.signed_by(&key, &authority).map_err(failed)?;

        let directory =
            tempfile::Builder::new().prefix("redis-tls-").tempdir().map_err(Error::io("make a temporary directory"))?;
        let made = Self { directory };
        for (path, pem) in
            [(made.authority(), authority.pem()), (made.server(), server.pem()), (made.key(), key.serialize_pem())]
        {
            fs::write(path, pem).map_err(Error::io("write a certificate"))?;
        }
        Ok(made)
    }

    /// The authority's certificate.
    pub(crate) fn authority(&self) -> PathBuf {
        self.directory.path().join("authority.pem")
    }

    /// The server's certificate.
    pub(crate) fn server(&self) -> PathBuf {
        self.directory.path().join("server.pem")
    }

    /// The server's private key.
    pub(crate) fn key(&self) -> PathBuf {
        self.directory.path().join("key.pem")
    }
}
