//! A directory that is being made: beside its place, so that the place has it complete or not at all.
//!
//! A process that is killed leaves it there, without a lock; the next process that makes the same directory takes it
//! over and empties it.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use rustix::fs::{CWD, Mode, OFlags, RenameFlags, open, renameat_with};
use rustix::process::geteuid;

/// What the process that makes the directory holds, until the directory is in its place: if the lock is free, the next
/// process takes the directory for what a killed process has left.
const LOCK: &str = "lock-of-partial";

/// A directory that is removed unless it gets its place.
#[derive(Debug)]
pub(super) struct StagingDirectory {
    path: PathBuf,
    place: PathBuf,
    _lock: File,
    is_placed: bool,
}

/// Whose a directory is.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlaceOwner {
    user: u32,
    group: u32,
}

impl StagingDirectory {
    /// Makes an empty directory beside `place`, with its name and `.partial`.
    ///
    /// # Errors
    /// Another process makes it at this moment, something else has its name, or it cannot be made.
    pub(super) fn begin(place: &Path) -> anyhow::Result<Self> {
        // A link leads to another file system, perhaps.
        let place = fs::canonicalize(place).or_else(|_| std::path::absolute(place))?;
        // Without a slash at its end, behind which a suffix would be a name in the directory.
        let place: PathBuf = place.components().collect();
        let path = beside(&place, ".partial");
        let shown = path.display();
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => require_left(&path)?,
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("cannot make {shown}; make its parent directory, or choose another"));
            }
        }
        let lock = open_lock(&path).with_context(|| format!("cannot write into {shown}"))?;
        // A file system without locks: it is left to the operator to do this once at a time.
        let is_held = matches!(lock.try_lock(), Err(TryLockError::WouldBlock));
        // Its holder may have put the directory in its place in between: then this is the lock of no directory.
        if is_held || !is_lock_of(&lock, &path)? {
            bail!("another process writes {shown} at this moment; wait until it has ended");
        }
        let staging = Self { path, place, _lock: lock, is_placed: false };
        // What a process that was killed has left.
        staging.remove_all_but_the_lock().with_context(|| format!("cannot empty {}", staging.path.display()))?;
        Ok(staging)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whose it must be in its place, if not this user's: the owner of the directory that is there. A node may have an
    /// account of its own.
    ///
    /// # Errors
    /// This user cannot give it to that one.
    pub(super) fn owner_to_give(&self) -> anyhow::Result<Option<PlaceOwner>> {
        let Ok(there) = fs::metadata(&self.place) else { return Ok(None) };
        let owner = PlaceOwner { user: there.uid(), group: there.gid() };
        let ours = geteuid();
        if owner.user == ours.as_raw() {
            return Ok(None);
        }
        ensure!(
            ours.is_root(),
            "{} belongs to the user {}; run this command as that user, or as root",
            self.place.display(),
            owner.user
        );
        Ok(Some(owner))
    }

    /// Gives it and all that is in it to a user.
    ///
    /// # Errors
    /// The file system does not let this user do that.
    pub(super) fn give_to(&self, owner: PlaceOwner) -> anyhow::Result<()> {
        let shown = self.path.display();
        give(&self.path, owner).with_context(|| format!("cannot give {shown} to the user {}", owner.user))
    }

    /// Puts it in its place, which is missing or an empty directory.
    ///
    /// # Errors
    /// The place is taken.
    pub(super) fn place(mut self) -> anyhow::Result<()> {
        self.sync()?;
        fs::rename(&self.path, &self.place).with_context(|| cannot_place(&self.place))?;
        self.is_placed = true;
        self.remove_lock()
    }

    /// Puts it in its place, and what is there beside it, under its name with `suffix`: in one step where the file system
    /// has such a step. Returns where the old one is.
    ///
    /// # Errors
    /// One of the two cannot be renamed.
    pub(super) fn exchange(mut self, suffix: &str) -> anyhow::Result<PathBuf> {
        self.sync()?;
        let kept = beside(&self.place, suffix);
        // From here on it has the name under which the old one will be kept, which takes its place in the exchange.
        fs::rename(&self.path, &kept).with_context(|| cannot_place(&self.place))?;
        self.path.clone_from(&kept);
        match renameat_with(CWD, &kept, CWD, &self.place, RenameFlags::EXCHANGE) {
            Ok(()) => self.is_placed = true,
            // Some network file systems cannot exchange.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
                self.exchange_in_steps(&kept).with_context(|| cannot_place(&self.place))?;
            }
            Err(error) => return Err(io::Error::from(error)).with_context(|| cannot_place(&self.place)),
        }
        self.remove_lock()?;
        Ok(kept)
    }

    fn exchange_in_steps(&mut self, kept: &Path) -> io::Result<()> {
        let aside = beside(kept, ".old");
        fs::rename(&self.place, &aside)?;
        if let Err(error) = fs::rename(kept, &self.place) {
            fs::rename(&aside, &self.place)?;
            return Err(error);
        }
        self.is_placed = true;
        fs::rename(&aside, kept)
    }

    /// Makes its names durable.
    fn sync(&self) -> anyhow::Result<()> {
        sync_directory(&self.path)
    }

    /// Removes the lock, which is no part of the directory, from where the directory is now.
    fn remove_lock(&self) -> anyhow::Result<()> {
        let lock = self.place.join(LOCK);
        fs::remove_file(&lock).with_context(|| format!("cannot remove {}", lock.display()))?;
        sync_directory(&self.place)?;
        sync_directory(self.place.parent().unwrap_or(Path::new("/")))
    }

    fn remove_all_but_the_lock(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_name() == LOCK {
                continue;
            }
            if entry.file_type()?.is_dir() { fs::remove_dir_all(entry.path())? } else { fs::remove_file(entry.path())? }
        }
        Ok(())
    }
}

impl Drop for StagingDirectory {
    fn drop(&mut self) {
        if !self.is_placed {
            let _left_for_the_next_one = fs::remove_dir_all(&self.path);
        }
    }
}

/// Whether there is nothing at this path, or an empty directory.
///
/// # Errors
/// It cannot be looked at, or is no directory.
pub(super) fn is_free(path: &Path) -> anyhow::Result<bool> {
    match fs::read_dir(path) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error).with_context(|| format!("cannot look into {}", path.display())),
    }
}

/// The path with something behind its name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn cannot_place(place: &Path) -> String {
    format!(
        "cannot rename a directory to {}; if that is where a file system is mounted, choose a directory below it",
        place.display()
    )
}

fn sync_directory(path: &Path) -> anyhow::Result<()> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .with_context(|| format!("cannot sync {}", path.display()))
}

/// Refuses a directory that no earlier process of this user has left: what is in it is removed, and in a parent directory
/// that others write to, it may be theirs. Its maker may have been killed before it made the lock.
fn require_left(path: &Path) -> anyhow::Result<()> {
    let ours = |metadata: &fs::Metadata| metadata.uid() == geteuid().as_raw();
    let found = fs::symlink_metadata(path).with_context(|| format!("cannot look at {}", path.display()))?;
    let is_left = found.is_dir()
        && ours(&found)
        && (fs::symlink_metadata(path.join(LOCK)).is_ok_and(|lock| lock.is_file() && ours(&lock)) || is_free(path)?);
    ensure!(
        is_left,
        "{} is there, and not from a command of this user that was cut off; move it away, or choose another directory",
        path.display()
    );
    fs::set_permissions(path, Permissions::from_mode(0o700))
        .with_context(|| format!("cannot set the mode of {}", path.display()))
}

/// What is in a directory first: it is this user's until all of it has been given.
fn give(path: &Path, owner: PlaceOwner) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path(), owner)?;
        }
    }
    lchown(path, Some(owner.user), Some(owner.group))
}

/// Opens the lock of a directory, which is made when it is missing. A link is not followed.
fn open_lock(directory: &Path) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(open(directory.join(LOCK), flags, Mode::RUSR | Mode::WUSR)?))
}

/// Whether an open file is the lock that the directory has now.
fn is_lock_of(file: &File, directory: &Path) -> anyhow::Result<bool> {
    let id = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    let held = id(file.metadata()?);
    Ok(fs::symlink_metadata(directory.join(LOCK)).is_ok_and(|there| id(there) == held))
}

/// Refuses a place that is taken.
///
/// # Errors
/// There is something.
pub(super) fn require_free(place: &Path) -> anyhow::Result<()> {
    ensure!(is_free(place)?, "{} is not empty; choose a directory that is new or empty", place.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// What is refused, in words.
    fn refused(place: &Path) -> String {
        StagingDirectory::begin(place).unwrap_err().to_string()
    }

    #[test]
    fn a_directory_has_one_maker_until_it_is_in_its_place() {
        let home = tempfile::tempdir().unwrap();
        let place = home.path().join("backup");
        let staging = StagingDirectory::begin(&place).unwrap();
        fs::write(staging.path().join("chat.db"), "whole").unwrap();
        // All that comes before the rename.
        staging.sync().unwrap();
        assert!(refused(&place).contains("another process writes"));
        staging.place().unwrap();
        assert_eq!(fs::read_to_string(place.join("chat.db")).unwrap(), "whole");
        assert_eq!(fs::read_dir(&place).unwrap().count(), 1, "the lock is no part of it");
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_slash_behind_the_name_of_a_new_directory_does_not_count() {
        let home = tempfile::tempdir().unwrap();
        for name in ["backup/", "other//", "third/."] {
            let staging = StagingDirectory::begin(&home.path().join(name)).unwrap();
            assert_eq!(staging.path().parent(), Some(home.path()), "{name}");
            staging.place().unwrap();
        }
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 3);
    }

    #[test]
    fn the_lock_of_a_directory_that_was_placed_is_no_lock() {
        let home = tempfile::tempdir().unwrap();
        let staging = StagingDirectory::begin(&home.path().join("backup")).unwrap();
        let path = staging.path().to_owned();
        let opened_before = open_lock(&path).unwrap();
        assert!(is_lock_of(&opened_before, &path).unwrap());
        staging.place().unwrap();
        assert!(!is_lock_of(&opened_before, &path).unwrap());
        let _the_next_one = StagingDirectory::begin(&home.path().join("backup")).unwrap();
        assert!(!is_lock_of(&opened_before, &path).unwrap());
    }

    #[test]
    fn an_exchange_keeps_the_old_directory_and_leaves_no_lock() {
        let home = tempfile::tempdir().unwrap();
        let place = home.path().join("data");
        fs::create_dir(&place).unwrap();
        fs::write(place.join("old"), "").unwrap();
        let staging = StagingDirectory::begin(&place).unwrap();
        fs::write(staging.path().join("new"), "").unwrap();
        let kept = staging.exchange(".replaced").unwrap();
        let names = |directory: &Path| -> Vec<OsString> {
            fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect()
        };
        assert_eq!((names(&place), names(&kept)), (vec!["new".into()], vec!["old".into()]));
    }

    #[test]
    fn a_directory_of_this_name_that_no_command_has_left_stays() {
        let home = tempfile::tempdir().unwrap();
        let place = home.path().join("backup");
        let named_alike = home.path().join("backup.partial");
        fs::create_dir(&named_alike).unwrap();
        fs::write(named_alike.join("precious"), "kept").unwrap();
        let said = refused(&place);
        assert!(said.contains("backup.partial") && said.contains("move it away"), "{said}");
        assert_eq!(fs::read_to_string(named_alike.join("precious")).unwrap(), "kept");
    }

    #[test]
    fn a_link_in_the_place_of_the_lock_or_the_directory_is_not_followed() {
        let home = tempfile::tempdir().unwrap();
        let (place, target) = (home.path().join("backup"), home.path().join("target"));
        let named_alike = home.path().join("backup.partial");
        fs::create_dir(&named_alike).unwrap();
        fs::write(&target, "kept").unwrap();
        symlink(&target, named_alike.join(LOCK)).unwrap();
        assert!(refused(&place).contains("move it away"));
        open_lock(&named_alike).unwrap_err();
        assert_eq!(fs::read_to_string(&target).unwrap(), "kept");

        fs::remove_dir_all(&named_alike).unwrap();
        let elsewhere = home.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        fs::write(elsewhere.join(LOCK), "").unwrap();
        symlink(&elsewhere, &named_alike).unwrap();
        assert!(refused(&place).contains("move it away"));
        assert!(elsewhere.join(LOCK).exists());
    }

    #[test]
    fn a_directory_that_was_left_is_emptied_and_made_private() {
        let home = tempfile::tempdir().unwrap();
        let left = home.path().join("backup.partial");
        fs::create_dir(&left).unwrap();
        fs::set_permissions(&left, Permissions::from_mode(0o755)).unwrap();
        fs::write(left.join(LOCK), "").unwrap();
        fs::write(left.join("chat.db"), "half").unwrap();
        let staging = StagingDirectory::begin(&home.path().join("backup")).unwrap();
        assert_eq!(fs::metadata(staging.path()).unwrap().permissions().mode() & 0o777, 0o700);
        assert!(!staging.path().join("chat.db").exists());
    }
}
