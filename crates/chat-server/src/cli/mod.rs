//! The command line: one file per command.

mod agents;
mod asyncapi;
mod attachments;
mod backup;
mod check_config;
mod doctor;
mod epoch;
mod healthcheck;
mod migrate;
mod openapi;
mod reference;
mod serve;
mod token;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Command, CommandFactory, FromArgMatches, Parser, Subcommand, value_parser};

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
    task: Option<ServerTask>,
}

#[derive(Subcommand)]
enum ServerTask {
    /// Serve the API; what happens without a command.
    Serve,
    /// Bring the database's schema up to date, back, or show where it stands.
    Migrate(migrate::SchemaArguments),
    /// Print a token for a person.
    Token(token::TokenArguments),
    /// Manage the directory of support agents.
    Agents(agents::AgentsArguments),
    /// Compare the stored files with the messages, or remove those that no message refers to.
    Attachments(attachments::AttachmentsArguments),
    /// Ask the node at the listen address whether it can serve; exit code 0 if so, for a supervisor's health check.
    Healthcheck(healthcheck::HealthcheckArguments),
    /// Copy the SQLite database and its attachments into a directory, also while a node runs.
    Backup(backup::BackupArguments),
    /// Put a backup in the place of the data directory. Stop the node first.
    Restore(backup::RestoreArguments),
    /// Print the effective configuration and where each value comes from.
    CheckConfig,
    /// Check whether a node with this configuration would work here, and say what to do where it would not.
    Doctor(doctor::DoctorArguments),
    /// Print the OpenAPI document.
    Openapi,
    /// Print the AsyncAPI document.
    Asyncapi,
    /// Show which history clients' positions belong to, or begin a new one after restoring a backup.
    Epoch(epoch::EpochArguments),
    /// Print the reference document of the configuration.
    #[command(hide = true)]
    ConfigReference,
    /// Print the reference document of the fixed limits.
    #[command(hide = true)]
    LimitsReference,
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
    let arguments: Vec<OsString> = arguments.collect();
    let mut command = with_derived_defaults(Cli::command());
    let (matches, Cli { options, task }) = match parse(&mut command, &arguments, variables) {
        Ok(parsed) => parsed,
        Err(error) => {
            let Some(asked) = doctor_asked_for(&error, &arguments) else { return Err(error.into()) };
            return doctor::run(Err(in_one_line(&error)), &asked, out);
        }
    };
    match task.unwrap_or(ServerTask::Serve) {
        ServerTask::Serve => {
            // A node has no use for them, and would keep them as long as it runs.
            drop((command, matches));
            serve::run(&Config::load(options)?, out)
        }
        ServerTask::Migrate(arguments) => migrate::run(&Config::load(options)?, &arguments, out),
        ServerTask::Token(arguments) => token::run(&Config::load(options)?, arguments, out),
        ServerTask::Agents(arguments) => agents::run(&Config::load(options)?, arguments, out),
        ServerTask::Attachments(arguments) => attachments::run(&Config::load(options)?, &arguments, out),
        ServerTask::Healthcheck(arguments) => healthcheck::run(options.listen, &arguments, out),
        ServerTask::Backup(arguments) => backup::run_backup(&Config::load(options)?, &arguments, out),
        ServerTask::Restore(arguments) => backup::run_restore(&Config::load(options)?, &arguments, out),
        ServerTask::CheckConfig => check_config::run(&Config::load(options)?, &command, &matches, out),
        ServerTask::Doctor(arguments) => {
            doctor::run(Config::load(options).map_err(|error| error.to_string()), &arguments, out)
        }
        ServerTask::Openapi => openapi::run(options.public_url.as_deref(), out),
        ServerTask::Asyncapi => asyncapi::run(options.public_url.as_deref(), out),
        ServerTask::Epoch(arguments) => epoch::run(&Config::load(options)?, &arguments, out),
        ServerTask::ConfigReference => reference::configuration(&command, out),
        ServerTask::LimitsReference => reference::limits(out),
        ServerTask::MetricsReference => reference::metrics(out),
    }
}

/// Reads the command line, and the variables that stand for options.
fn parse(
    command: &mut Command,
    arguments: &[OsString],
    variables: impl Iterator<Item = OsString>,
) -> Result<(ArgMatches, Cli), clap::Error> {
    let matches = command.try_get_matches_from_mut(arguments).map_err(|error| complaint(error, command, arguments))?;
    reject_unknown_variables(command, variables)?;
    let cli = Cli::from_arg_matches(&matches)?;
    Ok((matches, cli))
}

/// How `doctor` was asked, if it was, and only the server's options keep it from being run: it reports them as it reports
/// other faults.
fn doctor_asked_for(error: &clap::Error, arguments: &[OsString]) -> Option<doctor::DoctorArguments> {
    if !error.use_stderr() {
        return None;
    }
    let mut with_any_values = Cli::command().mut_args(|option| {
        if option.get_env().is_some() { option.env(None).value_parser(value_parser!(OsString)) } else { option }
    });
    let matches = with_any_values.try_get_matches_from_mut(arguments).ok()?;
    match matches.subcommand()? {
        ("doctor", matches) => doctor::DoctorArguments::from_arg_matches(matches).ok(),
        _ => None,
    }
}

/// A complaint about the command line without its layout and the way to the help.
fn in_one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("For more information"));
    lines.collect::<Vec<_>>().join("; ").trim_start_matches("error: ").to_owned()
}

/// What is printed instead of running a command. The short help of all commands takes 2 MiB and 20 ms, so it is made only
/// when one of them is asked for.
fn complaint(error: clap::Error, command: &Command, arguments: &[OsString]) -> clap::Error {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let mut command = with_short_help(with_derived_defaults(Cli::command()));
            command.try_get_matches_from_mut(arguments).err().unwrap_or(error)
        }
        _ => name_variable(error, command),
    }
}

/// Leaves the server's options, which every command takes, out of the help of the commands: it shows what is special to
/// each. `serve` is the server, so it shows them.
fn with_short_help(mut command: Command) -> Command {
    // Only now do the commands have the global options.
    command.build();
    command.mut_subcommands(|task| if task.get_name() == "serve" { task } else { without_server_options(task) })
}

fn without_server_options(task: Command) -> Command {
    task.mut_args(|option| if option.get_env().is_some() { option.hide(true) } else { option })
        .mut_subcommands(without_server_options)
        .after_help("It also takes the options of the server: see `chat-server --help`.")
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
        // The reader of the output has seen enough, as in `chat-server openapi | head`.
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

/// The source of a value that the operator did not set.
const UNSET: &str = "default";

/// Where an option's value comes from, in a word.
fn source(matches: &ArgMatches, option: &str) -> &'static str {
    match matches.value_source(option) {
        Some(clap::parser::ValueSource::CommandLine) => "flag",
        Some(clap::parser::ValueSource::EnvVariable) => "env",
        _ => UNSET,
    }
}
