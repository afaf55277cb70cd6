//! An authority and a server's certificate, made for one server and gone with it. What a process that was killed has left
//! is removed by the next one.

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::Error;
use crate::process::ThrowawayDirectory;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};

/// The name that the server's certificate is for.
const NAME: &str = "localhost";

/// What names of the directories begin with.
const PREFIX: &str = "chat-test-tls-";
/// Held by the process that made the directory for as long as it lives.
const LOCK: &str = "lock";
/// A directory that is younger may not have its lock yet.
const SETTLED: Duration = Duration::from_mins(1);

/// Files in a directory of their own.
#[derive(Debug)]
pub(crate) struct Certificates {
    directory: ThrowawayDirectory,
    _lock: File,
}

impl Certificates {
    pub(crate) fn make() -> Result<Self, Error> {
        let failed = |error: rcgen::Error| Error::failed("rcgen", "no certificate", error.to_string());
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

        remove_left(&env::temp_dir());
        let directory = ThrowawayDirectory::own(PREFIX)?;
        let lock = File::create(directory.path().join(LOCK)).map_err(Error::io("make a lock"))?;
        lock.lock().map_err(Error::io("take a lock"))?;
        let made = Self { directory, _lock: lock };
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

/// Removes the directories of processes that are gone. What cannot be removed, such as that of another account, stays.
fn remove_left(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        let age = entry.metadata().and_then(|metadata| metadata.modified()).map(|made| made.elapsed());
        let is_settled = matches!(age, Ok(Ok(age)) if age > SETTLED);
        let is_left = || File::open(entry.path().join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok());
        if is_settled && is_left() {
            let _another_may_be_faster = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn directories_of_processes_that_are_gone_are_removed() {
        let parent = tempfile::tempdir().unwrap();
        let make = |name: &str, minutes: u64| {
            let path = parent.path().join(name);
            fs::create_dir(&path).unwrap();
            let lock = File::create(path.join(LOCK)).unwrap();
            let made = SystemTime::now() - Duration::from_mins(minutes);
            File::open(&path).unwrap().set_modified(made).unwrap();
            (path, lock)
        };
        let (left, _) = make("chat-test-tls-left", 2);
        let (held, lock) = make("chat-test-tls-held", 2);
        let (young, _) = make("chat-test-tls-young", 0);
        let (foreign, _) = make("tls-foreign", 2);
        lock.lock().unwrap();
        remove_left(parent.path());
        assert!(!left.exists());
        assert!(held.exists() && young.exists() && foreign.exists());
    }
}
