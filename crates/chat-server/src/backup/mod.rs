//! Backups of the embedded default: the SQLite file and the attachments that its messages refer to, in one directory.
//!
//! ```text
//! DIR/manifest.json             what there is; written last
//! DIR/chat.db                   the database as it was at one moment
//! DIR/attachments/database-id   as in the data directory
//! DIR/attachments/objects/…
//! ```
//!
//! The database is copied first: the files of messages never change and are not removed, so that all files of the copy
//! are there while they are copied after it.

mod files;
mod manifest;
mod restore;
mod staging;

use std::fs;
use std::path::Path;

use anyhow::Context;
use chat_domain::model::Timestamp;

use self::files::CopiedFiles;
use self::manifest::Manifest;
pub(crate) use self::restore::{Replace, Restored, restore};
use self::staging::StagingDirectory;
use crate::config::Config;
use crate::wire::{self, Embedded};

/// The copy of the database in a backup and in a data directory.
const DATABASE: &str = "chat.db";
/// The directory of the files in both.
const ATTACHMENTS: &str = "attachments";

/// What a backup holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BackedUp {
    /// How many attachments.
    pub(crate) files: u64,
    /// How many bytes these have.
    pub(crate) bytes: u64,
}

/// Makes a backup of what the configuration names in the new or empty directory `dir`, also while a node runs. When it
/// returns, all of it is durable and has been read back; when it fails or is killed, `dir` is as it was.
///
/// # Errors
/// The configuration names other stores, `dir` is taken, or something cannot be read or written.
pub(crate) async fn back_up(config: &Config, dir: &Path, now: Timestamp) -> anyhow::Result<BackedUp> {
    let Embedded { database, attachments } = Embedded::of(config)?;
    staging::require_free(dir)?;
    let staging = StagingDirectory::begin(dir)?;
    let copy = staging.path().join(DATABASE);
    wire::copy_database(database, &copy)?;
    wire::verify_database(&copy)?;
    let from = wire::files_to_read(attachments)?;
    let to = wire::new_files(&staging.path().join(ATTACHMENTS), &copy)?;
    let CopiedFiles { files, bytes } = files::copy(&copy, from.as_ref(), to.as_ref()).await?;
    remove_log(&copy)?;
    let digest = manifest::digest(&copy, |_| Ok(())).with_context(|| format!("cannot read {}", copy.display()))?;
    Manifest::new(now.to_string(), digest, files, bytes).write(staging.path())?;
    staging.place()?;
    Ok(BackedUp { files, bytes })
}

/// Removes the log files that reading a copy leaves beside it. They are empty: nothing was written to the copy.
fn remove_log(database: &Path) -> anyhow::Result<()> {
    for suffix in ["-wal", "-shm"] {
        let path = staging::beside(database, suffix);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", path.display()));
            }
            _ => {}
        }
    }
    Ok(())
}
