//! Files that are being written.
//!
//! What makes an object durable, in this order: its bytes are written to a file in `incoming`, the file is synced, then
//! renamed to its place, then the directory of that place is synced. Synced after the rename, a crash could leave an
//! object's name on a file without its bytes; without the second sync, the name itself could be gone. The directory has
//! been made durable before, see [`Buckets`].
//!
//! A file in `incoming` is locked as long as its writer lives, and the operating system lifts the lock when the process
//! dies. So a process that can take the lock knows that the file was abandoned, in whichever process it began.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use chat_domain::error::Invalid;
use chat_domain::model::{AttachmentId, MediaType};
use tokio::runtime::Handle;

use super::layout::{Layout, bucket_name};
use crate::intake::{Intake, UploadFacts};

/// Tells the files of one process apart.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A file in `incoming` that is removed again unless it is published.
pub(super) struct Staged {
    pub(super) intake: Intake,
    complete: Complete,
}

/// A file in `incoming` that has all its bytes, and is removed again unless it is published.
pub(super) struct Complete {
    file: File,
    path: TempPath,
}

/// A path that is removed when dropped, on the store's runtime, because a dropped future is dropped on its caller's
/// thread. When that runtime is gone too, the file stays and the next start removes it.
struct TempPath {
    path: PathBuf,
    armed: bool,
    runtime: Handle,
}

impl TempPath {
    fn new(path: PathBuf, runtime: &Handle) -> Self {
        Self { path, armed: true, runtime: runtime.clone() }
    }
}

impl Drop for TempPath {
    fn drop(&mut self) {
        if self.armed {
            let path = std::mem::take(&mut self.path);
            self.runtime.spawn_blocking(move || remove_if_there(&path));
        }
    }
}

/// An object in its place, removed again unless it is kept: its caller may be gone by now.
#[must_use]
pub(super) struct Published(TempPath);

impl Published {
    /// Leaves the object in its place.
    pub(super) fn keep(mut self) {
        self.0.armed = false;
    }
}

impl Staged {
    /// Creates a locked, empty file.
    pub(super) fn create(layout: &Layout, id: AttachmentId, intake: Intake, runtime: &Handle) -> io::Result<Self> {
        Ok(Self { intake, complete: Complete::create(layout, id, runtime)? })
    }

    /// The file's path.
    pub(super) fn path(&self) -> &Path {
        self.complete.path()
    }

    /// Appends bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.intake.digest(bytes);
        self.complete.file.write_all(bytes)
    }

    /// What the bytes are, now that all of them have been written.
    pub(super) fn finish(self, claimed: Option<&MediaType>) -> Result<(UploadFacts, Complete), Invalid> {
        Ok((self.intake.finish(claimed)?, self.complete))
    }
}

impl Complete {
    /// Creates a locked, empty file.
    fn create(layout: &Layout, id: AttachmentId, runtime: &Handle) -> io::Result<Self> {
        loop {
            let name = format!("{id}.{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let path = layout.incoming.join(name);
            let file = match private_file().open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            };
            let path = TempPath::new(path, runtime);
            // Between creating and locking, another process that starts may have taken the file for abandoned.
            let taken = matches!(file.try_lock(), Err(TryLockError::WouldBlock)) || !path.path.try_exists()?;
            if !taken {
                return Ok(Self { file, path });
            }
        }
    }

    /// A small file that has these bytes, on the disk itself.
    pub(super) fn of(bytes: &[&[u8]], layout: &Layout, id: AttachmentId, runtime: &Handle) -> io::Result<Self> {
        let mut complete = Self::create(layout, id, runtime)?;
        for part in bytes {
            complete.file.write_all(part)?;
        }
        complete.file.sync_data()?;
        Ok(complete)
    }

    /// Moves the file to its place, over what is there. The name is not made durable.
    pub(super) fn replace(mut self, place: &Path) -> io::Result<()> {
        fs::rename(&self.path.path, place)?;
        self.path.armed = false;
        Ok(())
    }

    /// The file's path, to look at what was written.
    pub(super) fn path(&self) -> &Path {
        &self.path.path
    }

    /// Makes the bytes durable under the object's name.
    pub(super) fn publish(mut self, layout: &Layout, buckets: &Buckets, id: AttachmentId) -> io::Result<Published> {
        self.file.sync_all()?;
        let object = layout.object(id);
        buckets.ensure(layout, id)?;
        // Objects never change. Ids do not repeat, so this is a safeguard against a caller's mistake.
        if object.try_exists()? {
            return Err(io::Error::new(ErrorKind::AlreadyExists, "an object with this id is already stored"));
        }
        fs::rename(&self.path.path, &object)?;
        self.path.armed = false;
        let published = Published(TempPath::new(object, &self.path.runtime));
        sync_directory(&layout.bucket(id))?;
        Ok(published)
    }
}

/// The directories of objects that are known to be durable.
///
/// A directory that exists need not be durable: another upload may have created it a moment ago and not synced its
/// parent yet. So the parent is synced the first time that this process uses a directory, under a lock.
#[derive(Debug, Default)]
pub(super) struct Buckets(Mutex<BTreeSet<String>>);

impl Buckets {
    fn ensure(&self, layout: &Layout, id: AttachmentId) -> io::Result<()> {
        let name = bucket_name(id);
        let mut durable = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !durable.contains(&name) {
            create_directory(&layout.bucket(id))?;
            sync_directory(&layout.objects)?;
            durable.insert(name);
        }
        Ok(())
    }
}

/// Creates the store's directories, as durable as the objects that will lie in them.
pub(super) fn prepare(root: &Path, layout: &Layout) -> Result<(), (PathBuf, io::Error)> {
    for directory in [root, &layout.objects, &layout.thumbnails, &layout.incoming] {
        create_all(directory).map_err(|error| (directory.to_owned(), error))?;
    }
    Ok(())
}

fn create_all(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let parent = directory.parent();
    if let Some(parent) = parent {
        create_all(parent)?;
    }
    create_directory(directory)?;
    parent.map_or(Ok(()), sync_directory)
}

/// Writes, reads and removes a small file: whether the directory can be used at this moment.
pub(super) fn try_out(layout: &Layout) -> io::Result<()> {
    const WORDS: &[u8] = b"can attachments be written here?";
    let name = format!("health.{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let path = layout.incoming.join(name);
    let mut file = private_file().open(&path)?;
    // Lest another process that starts takes it for abandoned. Not all file systems have locks.
    let _best_effort = file.try_lock();
    let written = file.write_all(WORDS).and_then(|()| fs::read(&path));
    remove_if_there(&path)?;
    if written? == WORDS { Ok(()) } else { Err(io::Error::other("what was written reads differently")) }
}

/// Removes files in `incoming` whose writer is gone. With `before`, only those last written before it.
pub(super) fn remove_abandoned(layout: &Layout, before: Option<SystemTime>) -> io::Result<usize> {
    let mut removed = 0;
    for entry in fs::read_dir(&layout.incoming)? {
        let entry = entry?;
        let Some(metadata) = if_there(entry.metadata())? else { continue };
        if !metadata.is_file() {
            continue;
        }
        if let Some(before) = before
            && metadata.modified()? >= before
        {
            continue;
        }
        let Some(file) = if_there(File::open(entry.path()))? else { continue };
        let abandoned = match file.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => false,
            // A file system without locks: only age can tell.
            Err(TryLockError::Error(_)) => before.is_some(),
        };
        if abandoned {
            remove_if_there(&entry.path())?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// `None` for a file that has gone in the meantime.
pub(super) fn if_there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes a file; a missing one is as good as removed.
pub(super) fn remove_if_there(path: &Path) -> io::Result<()> {
    if_there(fs::remove_file(path)).map(|_| ())
}

/// Creates a directory that only this user can look into, unless it is there.
pub(super) fn create_directory(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        result => result,
    }
}

/// Opens a file that must not exist yet and that only this user can read.
pub(super) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes the names in a directory durable. Elsewhere than on Unix a directory cannot be synced, and needs not to be.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

/// What uploads share.
pub(super) type SharedBuckets = Arc<Buckets>;
