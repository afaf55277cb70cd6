//! `cargo xtask`: the project's developer tasks.
//!
//! One file per task in `commands`; `step` runs and times what a task consists of; `postgres` and `redis` provide the
//! servers of the tests. Continuous integration calls the same tasks (`.ci/run`), so what is green here is green there.
//! The architecture and tidy rules are this crate's tests.
#![expect(clippy::print_stdout, reason = "a developer's tool reports on standard output")]

mod commands;
mod postgres;
mod redis;
mod step;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's developer tasks.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    Asyncapi(commands::asyncapi::Asyncapi),
    Autobahn(commands::autobahn::Autobahn),
    Bench(commands::bench::Bench),
    Docs(commands::docs::Docs),
    Lint(commands::lint::Lint),
    Test(commands::test::Test),
}

fn main() -> ExitCode {
    let result = match Cli::parse().task {
        Task::Asyncapi(task) => task.run(),
        Task::Autobahn(task) => task.run(),
        Task::Bench(task) => task.run(),
        Task::Docs(task) => task.run(),
        Task::Lint(task) => task.run(),
        Task::Test(task) => task.run(),
    };
    if let Err(error) = result {
        println!("xtask: {error:#}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
