//! A file that one process holds at a time, or several that share it.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, bail};

/// A lock on a file, until it is dropped or the process ends, however it ends. Empty where the file system has no locks.
#[derive(Debug)]
pub(crate) struct FileLock {
    _file: Option<File>,
}

/// Who else may hold the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// No other process.
    Alone,
    /// All who share it too.
    Shared,
}

/// Takes hold of `what` by locking the file `path` beside it, which is made when it is missing and never removed.
/// `option` names what another place is chosen with.
///
/// # Errors
/// Another process holds it, and one of the two wants it alone.
pub(crate) fn hold(path: &Path, what: &str, option: &str, sharing: Sharing) -> anyhow::Result<FileLock> {
    let shown = path.display();
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        // A network file system may grant a shared lock only on a file that is open for reading.
        .read(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .with_context(|| {
            format!(
                "cannot open {shown}; make its directory and let this user write to it, or choose another with {option}"
            )
        })?;
    let locked = match sharing {
        Sharing::Alone => file.try_lock(),
        Sharing::Shared => file.try_lock_shared(),
    };
    match locked {
        Ok(()) => Ok(FileLock { _file: Some(file) }),
        Err(TryLockError::WouldBlock) => {
            bail!("another chat-server uses {what}; stop it, or choose another place with {option}")
        }
        Err(TryLockError::Error(error)) => {
            match sharing {
                Sharing::Alone => tracing::warn!(
                    %error, "this file system has no locks: make sure that no other server uses {what}"
                ),
                Sharing::Shared => tracing::warn!(
                    %error, "this file system has no locks: make sure that no server with SQLite uses {what}"
                ),
            }
            Ok(FileLock { _file: None })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_held_by_one_alone_or_by_several_who_share_it() {
        use Sharing::{Alone, Shared};
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("chat.db.lock");
        let hold = |sharing| hold(&path, "the database chat.db", "--data-dir", sharing);
        for (first, second, together) in
            [(Alone, Alone, false), (Alone, Shared, false), (Shared, Alone, false), (Shared, Shared, true)]
        {
            let held = hold(first).unwrap();
            match hold(second) {
                Ok(_) => assert!(together, "{first:?} and {second:?}"),
                Err(refused) => {
                    let refused = refused.to_string();
                    assert!(!together, "{first:?} and {second:?}: {refused}");
                    assert!(refused.contains("the database chat.db") && refused.contains("--data-dir"), "{refused}");
                }
            }
            drop(held);
            hold(second).unwrap();
        }
    }
}
