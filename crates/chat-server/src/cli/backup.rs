//! `backup` and `restore`: the embedded default in one directory.

use std::io::Write;
use std::path::PathBuf;

use chat_domain::ports::Clock;
use clap::Args;

use super::block_on;
use crate::backup::{BackedUp, Replace, Restored, back_up, restore};
use crate::config::Config;
use crate::system::SystemClock;

/// Where the backup is made.
#[derive(Args)]
pub(super) struct BackupArguments {
    /// The directory to make. One that is there must be empty.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

/// What is restored.
#[derive(Args)]
pub(super) struct RestoreArguments {
    /// The directory of a backup.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Restore over a data directory that is not empty. The old one is kept beside it.
    #[arg(long)]
    replace: bool,
}

/// Makes a backup, also while a node runs.
///
/// # Errors
/// What keeps it from being complete; then there is none.
pub(super) fn run_backup(config: &Config, arguments: &BackupArguments, out: &mut dyn Write) -> anyhow::Result<()> {
    let BackedUp { files, bytes } = block_on(back_up(config, &arguments.dir, SystemClock.now()))?;
    let dir = arguments.dir.display();
    Ok(writeln!(out, "backed up the database and {files} attachments ({bytes} bytes) to {dir}")?)
}

/// Puts a backup in the place of the data directory.
///
/// # Errors
/// A node runs, or what keeps the backup from being restored; then nothing has changed.
pub(super) fn run_restore(config: &Config, arguments: &RestoreArguments, out: &mut dyn Write) -> anyhow::Result<()> {
    let replace = if arguments.replace { Replace::KeepOld } else { Replace::Never };
    let restored = block_on(restore(config, &arguments.dir, replace, SystemClock.now()))?;
    let Restored { files, bytes, made_at, epoch, kept } = restored;
    let place = config.data_dir.display();
    writeln!(out, "restored the database and {files} attachments ({bytes} bytes) of {made_at} to {place}")?;
    writeln!(out, "the epoch is now {epoch}")?;
    if let Some(kept) = kept {
        writeln!(out, "the old data directory is {}", kept.display())?;
    }
    Ok(())
}
