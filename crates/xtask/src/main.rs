//! `cargo xtask`: the project's developer tasks.
//!
//! One file per task in `commands`; the other modules are what tasks share. Continuous integration calls the same tasks
//! (`.ci/run`), so what is green here is green there. The architecture and tidy rules are this crate's tests.
#![expect(clippy::print_stdout, reason = "a developer's tool reports on standard output")]

mod commands;
mod debian;
mod dockerfile;
mod libpq;
mod node;
mod packages;
mod postgres;
mod python;
mod redis;
mod running;
mod step;

use std::process::ExitCode;

use clap::Parser;

/// The project's developer tasks.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: commands::Task,
}

fn main() -> ExitCode {
    if let Err(error) = Cli::parse().task.run() {
        println!("xtask: {error:#}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
