//! `migrate`: the schema of the database.

use std::io::Write;

use clap::{Args, Subcommand};

use crate::config::{Config, DatabaseUrl};
use crate::data_dir;
use crate::wire::{self, Migrations};

/// What to do with the schema.
#[derive(Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    task: Option<Task>,
}

#[derive(Subcommand)]
enum Task {
    /// Apply all pending migrations; what happens without a word.
    Up,
    /// Take the newest migrations back. What only they could hold is lost.
    Down {
        /// How many.
        #[arg(long, value_name = "NUMBER", default_value = "1", value_parser = clap::value_parser!(u32).range(1..))]
        steps: u32,
    },
    /// Print every migration and whether it is applied.
    Status,
}

/// Changes or prints the schema. A change needs the server to be stopped.
///
/// # Errors
/// What the database fails with.
pub(super) fn run(config: &Config, arguments: &Arguments, out: &mut dyn Write) -> anyhow::Result<()> {
    if let DatabaseUrl::Sqlite(_) = config.database_url {
        data_dir::make(&config.data_dir)?;
    }
    let migrations = Migrations::of(config);
    match arguments.task.as_ref().unwrap_or(&Task::Up) {
        Task::Up => {
            let _held = wire::hold_database(config)?;
            list(out, "applied", &migrations.up()?)
        }
        Task::Down { steps } => {
            let _held = wire::hold_database(config)?;
            list(out, "took back", &migrations.down(*steps)?)
        }
        Task::Status => {
            for (name, applied) in migrations.status()? {
                writeln!(out, "{}\t{name}", if applied { "applied" } else { "pending" })?;
            }
            Ok(())
        }
    }
}

fn list(out: &mut dyn Write, verb: &str, names: &[String]) -> anyhow::Result<()> {
    if names.is_empty() {
        writeln!(out, "nothing to do")?;
    }
    for name in names {
        writeln!(out, "{verb} {name}")?;
    }
    Ok(())
}
