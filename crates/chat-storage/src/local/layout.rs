//! Where things lie below the store's directory.
//!
//! ```text
//! objects/0198c3/0198c3a1-7b2e-7c4d-9f10-2233445566aa    an object; its directory is the beginning of its id
//! thumbnails/0198c3/0198c3a1-….640                       a thumbnail of it, which can be made again
//! incoming/0198c3a1-7b2e-7c4d-9f10-2233445566aa.7        an upload in progress
//! collector                                              which database collects what no message refers to
//! ```
//!
//! Ids are UUIDv7, whose first 24 bits change every 4.7 hours, so one directory holds the objects of that time. That is
//! chosen over spreading by hash because the names of the directories, and the names in them, then sort like the ids:
//! paging through all objects in ascending order reads one directory at a time, and a directory once passed is not read
//! again.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use chat_domain::model::{AttachmentId, ThumbnailSize};

/// How many characters of an id name its directory.
const BUCKET_CHARS: usize = 6;

/// The paths of one store.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) root: PathBuf,
    pub(super) objects: PathBuf,
    pub(super) thumbnails: PathBuf,
    pub(super) incoming: PathBuf,
}

impl Layout {
    pub(super) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            objects: root.join("objects"),
            thumbnails: root.join("thumbnails"),
            incoming: root.join("incoming"),
        }
    }

    /// The directory that holds the object.
    pub(super) fn bucket(&self, id: AttachmentId) -> PathBuf {
        self.objects.join(bucket_name(id))
    }

    /// The object's file.
    pub(super) fn object(&self, id: AttachmentId) -> PathBuf {
        self.bucket(id).join(id.to_string())
    }

    /// The directory that holds the object's thumbnails.
    pub(super) fn thumbnail_bucket(&self, id: AttachmentId) -> PathBuf {
        self.thumbnails.join(bucket_name(id))
    }

    /// The file of a thumbnail.
    pub(super) fn thumbnail(&self, id: AttachmentId, size: ThumbnailSize) -> PathBuf {
        self.thumbnail_bucket(id).join(format!("{id}.{}", size.pixels()))
    }
}

/// The name of the directory that holds the object.
pub(super) fn bucket_name(id: AttachmentId) -> String {
    id.to_string().chars().take(BUCKET_CHARS).collect()
}

/// Whether this is the name of a directory of objects.
pub(super) fn is_bucket_name(name: &str) -> bool {
    name.len() == BUCKET_CHARS && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The object that a file name stands for; `None` for a file that is not ours.
pub(super) fn parse_object_name(name: &OsStr) -> Option<AttachmentId> {
    AttachmentId::parse(name.to_str()?)
}
