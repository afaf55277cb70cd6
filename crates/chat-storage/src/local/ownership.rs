//! Who collects the files: the file `collector` beside them, with the text of `owner_text`.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use chat_domain::model::StoreOwner;

use super::staging::{if_there, private_file, remove_if_there, sync_directory};
use crate::owner_text::{parse, render};

const NAME: &str = "collector";

/// Tells the drafts of one process apart.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// What stands in the store's directory `root`.
pub(super) fn read(root: &Path) -> io::Result<Option<StoreOwner>> {
    let Some(text) = if_there(fs::read_to_string(root.join(NAME)))? else { return Ok(None) };
    let unknown = || io::Error::new(ErrorKind::InvalidData, "the file `collector` among them is not one of ours");
    parse(&text).map(Some).ok_or_else(unknown)
}

/// Puts `owner` in the place of `expected` and returns whether it did. A temporary file is written, synced and moved
/// into the place, so that the power may go at any point.
pub(super) fn replace(root: &Path, expected: Option<&StoreOwner>, owner: &StoreOwner) -> io::Result<bool> {
    if read(root)?.as_ref() != expected {
        return Ok(false);
    }
    let place = root.join(NAME);
    let temporary = TemporaryFile::write(root, &render(owner))?;
    if expected.is_some() {
        fs::rename(&temporary.0, &place)?;
    } else {
        // Only where there is none yet.
        match fs::hard_link(&temporary.0, &place) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
            linked => linked?,
        }
    }
    drop(temporary);
    sync_directory(root)?;
    Ok(true)
}

/// A file that is removed again unless it has been moved.
struct TemporaryFile(PathBuf);

impl TemporaryFile {
    fn write(root: &Path, text: &str) -> io::Result<Self> {
        // With the process's number: a server on another machine may do the same, and one of the two fails then.
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let temporary = Self(root.join(format!("{NAME}.{}-{number}", std::process::id())));
        // One of that name is what a crash has left.
        remove_if_there(&temporary.0)?;
        let mut file: File = private_file().open(&temporary.0)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        Ok(temporary)
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _best_effort = remove_if_there(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use chat_domain::model::{DatabaseInstance, Generation};
    use uuid::Uuid;

    use super::*;

    fn owner(round: u128) -> StoreOwner {
        let database = DatabaseInstance::parse("sqlite:1-2").unwrap();
        StoreOwner { database, generation: Generation::new(Uuid::from_u128(round)), is_contested: false }
    }

    #[test]
    fn the_file_is_whole_readable_by_its_owner_alone_and_without_drafts_beside_it() {
        let root = tempfile::tempdir().unwrap();
        assert!(replace(root.path(), None, &owner(1)).unwrap());
        assert!(replace(root.path(), Some(&owner(1)), &owner(2).contested()).unwrap());
        let expected = "database sqlite:1-2\ngeneration 00000000-0000-0000-0000-000000000002\ncontested yes\n";
        assert_eq!(fs::read_to_string(root.path().join(NAME)).unwrap(), expected);
        let mode = fs::metadata(root.path().join(NAME)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_record_that_cannot_be_read_is_not_taken_for_absent() {
        let root = tempfile::tempdir().unwrap();
        for text in ["", "database a\n", "generation 1\ndatabase a\n", "database a\ngeneration x\ncontested no\n"] {
            fs::write(root.path().join(NAME), text).unwrap();
            assert_eq!(read(root.path()).unwrap_err().kind(), ErrorKind::InvalidData, "{text:?}");
            assert!(replace(root.path(), None, &owner(1)).is_err());
            assert_eq!(fs::read_to_string(root.path().join(NAME)).unwrap(), text);
        }
    }
}
