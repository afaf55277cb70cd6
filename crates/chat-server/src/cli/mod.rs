//! The command line: one file per command.

mod agents;
mod asyncapi;
mod attachments;
mod check_config;
mod epoch;
mod migrate;
mod openapi;
mod reference;
mod serve;
mod token;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};
use clap::{ArgMatches, Command, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::config::{Config, Options, reference::with_derived_defaults, reject_unknown_variables};

/// A support-chat backend: sessions, messages, attachments and live updates over HTTP and WebSocket.
///
/// Without any configuration it serves this machine alone, in development mode, and says how to begin.
#[derive(Parser)]
#[command(name = "chat-server", version)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    task: Option<Task>,
}

#[derive(Subcommand)]
enum Task {
    /// Serve the API; what happens without a command.
    Serve,
    /// Bring the database's schema up to date, back, or show where it stands.
    Migrate(migrate::Arguments),
    /// Print a token for a person.
    Token(token::Arguments),
    /// Manage the directory of support agents.
    Agents(agents::Arguments),
    /// Compare the stored files with the messages, or remove those that no message refers to.
    Attachments(attachments::Arguments),
    /// Print the effective configuration and where each value comes from.
    CheckConfig,
    /// Print the OpenAPI document.
    Openapi,
    /// Print the AsyncAPI document.
    Asyncapi,
    /// Show which history clients' positions belong to, or begin a new one after restoring a backup.
    Epoch(epoch::Arguments),
    /// Print the reference document of the configuration.
    #[command(hide = true)]
    ConfigReference,
    /// Print the reference document of the metrics.
    #[command(hide = true)]
    MetricsReference,
}

/// Runs the command that `arguments` ask for; `variables` are the names of the environment's variables.
///
/// # Errors
/// What `report` understands.
pub(crate) fn run(
    arguments: impl Iterator<Item = OsString>,
    variables: impl Iterator<Item = OsString>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let mut command = with_derived_defaults(Cli::command());
    let matches = command.try_get_matches_from_mut(arguments).map_err(|error| name_variable(error, &command))?;
    reject_unknown_variables(&mut command, variables)?;
    let Cli { options, task } = Cli::from_arg_matches(&matches)?;
    match task.unwrap_or(Task::Serve) {
        Task::Serve => serve::run(&Config::load(options)?, out),
        Task::Migrate(arguments) => migrate::run(&Config::load(options)?, &arguments, out),
        Task::Token(arguments) => token::run(&Config::load(options)?, arguments, out),
        Task::Agents(arguments) => agents::run(&Config::load(options)?, arguments, out),
        Task::Attachments(arguments) => attachments::run(&Config::load(options)?, &arguments, out),
        Task::CheckConfig => check_config::run(&Config::load(options)?, &command, &matches, out),
        Task::Openapi => openapi::run(options.public_url.as_deref(), out),
        Task::Asyncapi => asyncapi::run(options.public_url.as_deref(), out),
        Task::Epoch(arguments) => epoch::run(&Config::load(options)?, &arguments, out),
        Task::ConfigReference => reference::configuration(&command, out),
        Task::MetricsReference => reference::metrics(out),
    }
}

/// Adds the environment variable to a complaint about an option: the wrong value may come from there.
fn name_variable(mut error: clap::Error, command: &Command) -> clap::Error {
    let variable = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(shown)) => command
            .get_arguments()
            .find(|option| option.to_string() == *shown)
            .and_then(|option| option.get_env())
            .map(|name| name.to_string_lossy().into_owned()),
        _ => None,
    };
    if let Some(variable) = variable {
        let tip = format!("the value may also come from the environment variable {variable}");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

/// Says what went wrong, and gives the exit code: 2 for a command line that cannot be understood, else 1.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    if let Some(usage) = error.downcast_ref::<clap::Error>() {
        let _nowhere_left_to_complain = usage.print();
        return u8::try_from(usage.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
    }
    if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
        // Whoever read the output has seen enough, as in `chat-server openapi | head`.
        return ExitCode::SUCCESS;
    }
    if tracing::dispatcher::has_been_set() {
        tracing::error!("cannot go on: {error:#}");
    } else {
        let _nowhere_left_to_complain = writeln!(io::stderr(), "error: {error:#}");
    }
    ExitCode::FAILURE
}

/// Runs a short command that needs the database.
///
/// # Errors
/// What the command fails with.
fn block_on<T>(task: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(task)
}

/// Where an option's value comes from, in a word.
fn source(matches: &ArgMatches, option: &str) -> &'static str {
    match matches.value_source(option) {
        Some(clap::parser::ValueSource::CommandLine) => "flag",
        Some(clap::parser::ValueSource::EnvVariable) => "env",
        _ => "default",
    }
}
