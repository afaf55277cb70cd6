//! `epoch`: which history the positions of clients belong to.

use std::io::Write;

use clap::{Args, Subcommand};

use crate::config::{Config, DatabaseUrl};
use crate::wire;

/// What to do with the epoch.
#[derive(Args)]
pub(super) struct EpochArguments {
    #[command(subcommand)]
    task: Option<EpochTask>,
}

#[derive(Subcommand)]
enum EpochTask {
    /// Print the epoch. This is the default.
    Show,
    /// Begin a new epoch, after a backup has been restored and before the servers start: clients that saw more than the
    /// backup holds then read their sessions again instead of going on from positions that other changes have now. Nodes
    /// that run on PostgreSQL all the same notice it and end.
    Rotate,
}

/// Prints or changes the epoch. A change needs all nodes to be stopped: on SQLite it is refused while one runs, on
/// PostgreSQL those that run end by themselves.
///
/// # Errors
/// What the database fails with.
pub(super) fn run(config: &Config, arguments: &EpochArguments, out: &mut dyn Write) -> anyhow::Result<()> {
    match arguments.task.as_ref().unwrap_or(&EpochTask::Show) {
        EpochTask::Show => Ok(writeln!(out, "{}", wire::epoch(config)?)?),
        EpochTask::Rotate => {
            let epoch = wire::rotate_epoch(config)?;
            let running = match config.database_url {
                // It was held by this command alone.
                DatabaseUrl::Sqlite(_) => "",
                DatabaseUrl::Postgres(_) => "; nodes that run on this database end within seconds",
            };
            Ok(writeln!(out, "the epoch is now {epoch}{running}")?)
        }
    }
}
