//! `migrate`: the schema of the database.

use std::io::Write;

use anyhow::ensure;
use clap::{Args, Subcommand};

use crate::config::{Config, DatabaseUrl};
use crate::data_dir;
use crate::wire::{self, Migrations};

/// What to do with the schema.
#[derive(Args)]
pub(super) struct SchemaArguments {
    #[command(subcommand)]
    task: Option<SchemaTask>,
}

#[derive(Subcommand)]
enum SchemaTask {
    /// Apply all pending migrations. This is the default.
    Up,
    /// Take the newest migrations back. The rows of tables and columns that they made are deleted: make a backup first.
    Down {
        /// How many.
        #[arg(long, value_name = "NUMBER", default_value = "1", value_parser = clap::value_parser!(u32).range(1..))]
        steps: u32,
        /// Do it. Without this, the command only names the migrations that it would take back, and fails.
        #[arg(long)]
        yes: bool,
    },
    /// Print every migration and whether it is applied.
    Status,
}

/// Changes or prints the schema. A change needs the server to be stopped.
///
/// # Errors
/// What the database fails with.
pub(super) fn run(config: &Config, arguments: &SchemaArguments, out: &mut dyn Write) -> anyhow::Result<()> {
    if let DatabaseUrl::Sqlite(_) = config.database_url {
        data_dir::make(&config.data_dir)?;
    }
    let migrations = Migrations::of(config);
    match arguments.task.as_ref().unwrap_or(&SchemaTask::Up) {
        SchemaTask::Up => {
            let _held = wire::hold_database(config)?;
            list(out, "applied", &migrations.up()?)
        }
        SchemaTask::Down { steps, yes } => {
            let _held = wire::hold_database(config)?;
            let names = newest_applied(&migrations, *steps)?;
            ensure!(
                *yes || names.is_empty(),
                "this takes back {} and deletes the rows of tables and columns that they made; make a backup, then \
                 repeat the command with --yes",
                names.join(", "),
            );
            list(out, "took back", &migrations.down(*steps)?)
        }
        SchemaTask::Status => {
            for (name, applied) in migrations.status()? {
                writeln!(out, "{}\t{name}", if applied { "applied" } else { "pending" })?;
            }
            Ok(())
        }
    }
}

/// The names of the newest applied migrations, newest first.
fn newest_applied(migrations: &Migrations, steps: u32) -> anyhow::Result<Vec<String>> {
    let applied = migrations.status()?.into_iter().rev().filter_map(|(name, applied)| applied.then_some(name));
    Ok(applied.take(usize::try_from(steps)?).collect())
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
