//! `attachments`: the stored files beside the messages that refer to them.

mod migrate;

use std::io::{self, Write};

use anyhow::{bail, ensure};
use chat_domain::ChatError;
use chat_domain::service::{Collected, Finding, OrphanCollector, Removal, Round};
use clap::{Args, Subcommand};

use self::migrate::MigrateArguments;
use super::block_on;
use crate::collecting::{remedy, too_many};
use crate::config::{Config, DatabaseUrl, units};
use crate::wire::{self, StoreAccess, StoredFiles};

/// What to do with the stored files.
#[derive(Args)]
pub(super) struct AttachmentsArguments {
    #[command(subcommand)]
    task: AttachmentsTask,
}

#[derive(Subcommand)]
enum AttachmentsTask {
    /// Print files that a message refers to and that are missing, and stored files that no message refers to: marked
    /// ones, which will be removed, and unknown ones. Changes nothing, and runs beside the server. Fails when a file is
    /// missing.
    Check,
    /// Mark files that no message refers to, and remove those that were marked long enough ago, as servers do by
    /// themselves. With SQLite, stop the server first.
    Collect {
        /// Remove them even if they are more than 100 and more than 5 % of all old files.
        #[arg(long)]
        force: bool,
    },
    /// Make this database the one whose servers collect these files, after a restore or a move. No server of another
    /// database, or of a copy, may use the files then. Marks begin from the start.
    Adopt,
    /// Copy the stored files from one place to another, while servers run. Can be stopped and begun again; see *Moving
    /// attachments* in the operations guide.
    Migrate(MigrateArguments),
}

/// Compares, collects or adopts.
///
/// # Errors
/// A file is missing; this database may not collect; what the stores fail with.
pub(super) fn run(config: &Config, arguments: &AttachmentsArguments, out: &mut dyn Write) -> anyhow::Result<()> {
    let task = &arguments.task;
    let (access, _held) = match task {
        AttachmentsTask::Migrate(arguments) => return migrate::run(config, arguments, out),
        AttachmentsTask::Check => (StoreAccess::Look, None),
        AttachmentsTask::Collect { .. } | AttachmentsTask::Adopt => (StoreAccess::Alone, wire::hold_database(config)?),
    };
    block_on(async {
        let files = StoredFiles::open(config, access).await?;
        let collector = files.collector.clone();
        let done = match task {
            AttachmentsTask::Check | AttachmentsTask::Migrate(_) => check(&collector, out).await,
            AttachmentsTask::Collect { force } => collect(&collector, *force, out).await,
            AttachmentsTask::Adopt => adopt(config, &collector, out).await,
        };
        drop(collector);
        files.close().await;
        done
    })
}

async fn check(collector: &OrphanCollector, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut unwritten: Option<io::Error> = None;
    let mut print = |finding: Finding| {
        let written = match finding {
            Finding::Missing(id) => writeln!(out, "missing\t{id}"),
            Finding::Marked(id, at) => writeln!(out, "marked\t{id}\t{at}"),
            Finding::Unknown(id) => writeln!(out, "unknown\t{id}"),
        };
        written.map_err(|error| {
            unwritten = Some(error);
            ChatError::unavailable("the findings cannot be written")
        })
    };
    let checked = collector.check().run(&mut print).await;
    if let Some(error) = unwritten {
        return Err(error.into());
    }
    let checked = checked?;
    writeln!(
        out,
        "{} files of messages, {} of them missing; without a message {} marked, {} unknown",
        checked.referenced, checked.missing, checked.marked, checked.unknown
    )?;
    ensure!(
        checked.missing == 0,
        "{} files that messages refer to are missing; restore them from a backup of the attachments",
        checked.missing
    );
    Ok(())
}

async fn collect(collector: &OrphanCollector, force: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let removal = if force { Removal::OfAll } else { Removal::OfFew };
    match collector.collect(removal).await? {
        Round::Busy => bail!("a node collects at this moment; try again when it is done"),
        Round::NotOwner(reason) => bail!("these files are not collected: {}", remedy(&reason)),
        Round::Done(Collected { examined, refused: Some(due), .. }) => bail!("{}", too_many(due, examined)),
        Round::Done(Collected { examined, marked, removed, .. }) => {
            Ok(writeln!(out, "{examined} old files, {marked} marked, {removed} removed")?)
        }
    }
}

async fn adopt(config: &Config, collector: &OrphanCollector, out: &mut dyn Write) -> anyhow::Result<()> {
    ensure!(collector.adopt().await?, "a node collects at this moment; try again when it is done");
    writeln!(out, "this database collects these files from now on; marks begin from the start")?;
    if let DatabaseUrl::Postgres(_) = config.database_url {
        // An SQLite database has no node now: this command holds it.
        let every = units::show_duration(config.orphan_check_every);
        writeln!(
            out,
            "nodes that run look again every {every} (CHAT_ORPHAN_CHECK_EVERY) and set chat_orphans_collecting to 1 then"
        )?;
    }
    Ok(())
}
