//! Puts a backup in the place of a data directory.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use chat_domain::model::{Epoch, Timestamp};

use super::files::{self, CopiedFiles};
use super::manifest::{self, Manifest, create_private};
use super::staging::{self, StagingDirectory};
use super::{ATTACHMENTS, DATABASE};
use crate::config::{AttachmentsUrl, Config, DatabaseUrl};
use crate::wire::{self, Embedded};

/// What becomes of a data directory that is not empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replace {
    /// It stays, and nothing is restored.
    Never,
    /// It is kept beside the restored one.
    KeepOld,
}

/// What was restored.
#[derive(Debug)]
pub(crate) struct Restored {
    /// How many attachments.
    pub(crate) files: u64,
    /// How many bytes these have.
    pub(crate) bytes: u64,
    /// When the backup was made.
    pub(crate) made_at: String,
    /// The epoch that begins with it.
    pub(crate) epoch: Epoch,
    /// Where the old data directory is.
    pub(crate) kept: Option<PathBuf>,
}

/// Puts the backup in `dir` in the place of the configured data directory. When it fails or is killed, the data directory
/// is as it was.
///
/// # Errors
/// A node runs, the data directory is taken, the backup is damaged, or something cannot be read or written.
pub(crate) async fn restore(config: &Config, dir: &Path, replace: Replace, now: Timestamp) -> anyhow::Result<Restored> {
    require_default_places(config)?;
    require_plain(dir)?;
    let manifest = Manifest::read(dir)?;
    let is_free = staging::is_free(&config.data_dir)?;
    // Held until the end: a node that is started meanwhile ends at once.
    let _held = if is_free { None } else { Some((wire::hold_database(config)?, wire::hold_files(config)?)) };
    ensure!(
        is_free || replace == Replace::KeepOld,
        "the data directory {} is not empty; choose another with --data-dir (CHAT_DATA_DIR), or keep it beside the \
         restored one with --replace",
        config.data_dir.display(),
    );
    let staging = StagingDirectory::begin(&config.data_dir)?;
    let owner = staging.owner_to_give()?;
    let database = staging.path().join(DATABASE);
    copy_database(&dir.join(DATABASE), &database, &manifest)?;
    wire::verify_database(&database)?;
    let epoch = wire::renew_database(&database)?;
    let from = wire::files_to_read(&dir.join(ATTACHMENTS))?;
    let attachments = staging.path().join(ATTACHMENTS);
    let to = wire::new_files(&attachments, &database)?;
    let CopiedFiles { files, bytes } = files::copy(&database, from.as_ref(), to.as_ref()).await?;
    manifest.require_counts(files, bytes).with_context(|| format!("{} is damaged", dir.display()))?;
    let staged = Config {
        data_dir: staging.path().to_owned(),
        database_url: DatabaseUrl::Sqlite(database),
        attachments_url: AttachmentsUrl::File(attachments),
        ..config.clone()
    };
    wire::adopt(&staged).await?;
    if let Some(owner) = owner {
        staging.give_to(owner)?;
    }
    let kept = if is_free {
        staging.place()?;
        None
    } else {
        Some(staging.exchange(&format!(".replaced-{}", stamp(now)))?)
    };
    Ok(Restored { files, bytes, made_at: manifest.made_at, epoch, kept })
}

/// The data directory is restored as a whole, so that both stores must be in it.
fn require_default_places(config: &Config) -> anyhow::Result<()> {
    let Embedded { database, attachments } = Embedded::of(config)?;
    let data_dir = &config.data_dir;
    ensure!(
        *database == data_dir.join(DATABASE) && *attachments == data_dir.join(ATTACHMENTS),
        "this command restores a data directory that has both stores in it; leave out --database-url (CHAT_DATABASE_URL) \
         and --attachments-url (CHAT_ATTACHMENTS_URL), then move the stores to where you want them",
    );
    Ok(())
}

/// Refuses a backup with anything but plain files and directories in it, which `backup` does not make: reading a pipe
/// waits for its writer, and a link leads out of the backup.
fn require_plain(dir: &Path) -> anyhow::Result<()> {
    let mut directories = vec![dir.to_owned()];
    while let Some(directory) = directories.pop() {
        let shown = directory.display();
        for entry in fs::read_dir(&directory).with_context(|| format!("cannot look into {shown}"))? {
            let entry = entry.with_context(|| format!("cannot look into {shown}"))?;
            let path = entry.path();
            let kind = entry.file_type().with_context(|| format!("cannot look at {}", path.display()))?;
            if kind.is_dir() {
                directories.push(path);
            } else if !kind.is_file() {
                bail!("{} is neither a file nor a directory, and no part of a backup; remove it", path.display());
            }
        }
    }
    Ok(())
}

/// Copies the database of a backup, and compares it with what the manifest says.
fn copy_database(from: &Path, to: &Path, manifest: &Manifest) -> anyhow::Result<()> {
    let mut copy = create_private(to).with_context(|| format!("cannot make {}", to.display()))?;
    let digest = manifest::digest(from, |piece| copy.write_all(piece));
    let digest = digest.with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    copy.sync_all().with_context(|| format!("cannot write {}", to.display()))?;
    ensure!(
        digest == manifest.database_sha256,
        "{} is damaged: its bytes are not those that were backed up; use another backup",
        from.display()
    );
    Ok(())
}

/// A moment as a part of a file's name, such as `20261122T101500123Z`.
fn stamp(now: Timestamp) -> String {
    now.to_string().chars().filter(char::is_ascii_alphanumeric).collect()
}
