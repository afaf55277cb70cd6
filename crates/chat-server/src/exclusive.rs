//! A file that one process holds at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, bail};

/// Held until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Held {
    _file: Option<File>,
}

/// Takes hold of `what` by locking the file `path` beside it, which is made when it is missing and never removed.
/// `option` names what another place is chosen with.
///
/// # Errors
/// Another process holds it.
pub(crate) fn hold(path: &Path, what: &str, option: &str) -> anyhow::Result<Held> {
    let shown = path.display();
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot open {shown}; check that its directory exists and can be written to"))?;
    match file.try_lock() {
        Ok(()) => Ok(Held { _file: Some(file) }),
        Err(TryLockError::WouldBlock) => {
            bail!("another chat-server uses {what}; stop it, or choose another place with {option}")
        }
        Err(TryLockError::Error(error)) => {
            tracing::warn!(%error, "this file system has no locks: make sure that no other server uses {what}");
            Ok(Held { _file: None })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_one_holder_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("chat.db.lock");
        let held = hold(&path, "the database chat.db", "--data-dir").unwrap();
        let refused = hold(&path, "the database chat.db", "--data-dir").unwrap_err().to_string();
        assert!(refused.contains("the database chat.db") && refused.contains("--data-dir"), "{refused}");
        drop(held);
        hold(&path, "the database chat.db", "--data-dir").unwrap();
    }
}
