//! `epoch`: which history the positions of clients belong to.

use std::io::Write;

use clap::{Args, Subcommand};

use crate::config::Config;
use crate::wire;

/// What to do with the epoch.
#[derive(Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    task: Option<Task>,
}

#[derive(Subcommand)]
enum Task {
    /// Print the epoch; what happens without a word.
    Show,
    /// Begin a new epoch, after a backup has been restored and before the servers start: clients that saw more than the
    /// backup holds then read their sessions anew instead of going on from positions that other changes have now. Servers
    /// that run on PostgreSQL all the same notice it and end.
    Rotate,
}

/// Prints or changes the epoch. A change needs all servers to be stopped: on SQLite it is refused while one runs, on
/// PostgreSQL those that run end by themselves.
///
/// # Errors
/// What the database fails with.
pub(super) fn run(config: &Config, arguments: &Arguments, out: &mut dyn Write) -> anyhow::Result<()> {
    match arguments.task.as_ref().unwrap_or(&Task::Show) {
        Task::Show => Ok(writeln!(out, "{}", wire::epoch(config)?)?),
        Task::Rotate => {
            let _held = wire::hold_database(config)?;
            let epoch = wire::rotate_epoch(config)?;
            Ok(writeln!(out, "the epoch is now {epoch}; servers that run on this database end within seconds")?)
        }
    }
}
