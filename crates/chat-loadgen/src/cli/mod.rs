//! The command line: the subcommands, and the options that several of them share.

mod check;
mod desk;
mod drive;
mod load;
mod options;
mod slow;
mod sockets;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::LoadError;

/// Load generator, fault driver and history checker for the chat service. It uses only the public API.
#[derive(Debug, Parser)]
#[command(name = "chat-loadgen", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: LoadgenCommand,
}

#[derive(Debug, Subcommand)]
enum LoadgenCommand {
    Send(load::Send),
    Read(load::Read),
    Hold(sockets::Hold),
    Fanout(sockets::Fanout),
    Desk(desk::DeskCommand),
    Abort(sockets::Abort),
    Flood(sockets::Flood),
    Occupy(sockets::Occupy),
    Slow(slow::Slow),
    Check(check::Check),
    Drive(drive::Drive),
}

/// Whether what was checked is good, and whether a request of a load succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct RunVerdict(bool);

/// Runs the command that the process was started with. 0 when all is well, 1 when what was checked is wrong or no
/// request of a load succeeded, 2 when the command could not do its work.
pub fn main() -> ExitCode {
    run(std::env::args_os())
}

fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to standard output and is no failure; clap knows which is which.
            let _closed = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    let done = match cli.command {
        LoadgenCommand::Send(send) => send.run(),
        LoadgenCommand::Read(read) => read.run(),
        LoadgenCommand::Hold(hold) => block_on(hold.run()),
        LoadgenCommand::Fanout(fanout) => block_on(fanout.run()),
        LoadgenCommand::Desk(desk) => block_on(desk.run()),
        LoadgenCommand::Abort(abort) => block_on(abort.run()),
        LoadgenCommand::Flood(flood) => block_on(flood.run()),
        LoadgenCommand::Occupy(occupy) => block_on(occupy.run()),
        LoadgenCommand::Slow(slow) => block_on(slow.run()),
        LoadgenCommand::Check(check) => check.run(),
        LoadgenCommand::Drive(drive) => block_on(drive.run()),
    };
    match done {
        Ok(RunVerdict(true)) => ExitCode::SUCCESS,
        Ok(RunVerdict(false)) => ExitCode::from(1),
        Err(error) => {
            note(&format!("error: {error}"));
            ExitCode::from(2)
        }
    }
}

/// Runs a part of a command to its end, with a `LocalSet` for its tasks.
///
/// # Errors
/// Those of the part, or the runtime cannot be made.
pub fn block_on<T>(future: impl Future<Output = Result<T, LoadError>>) -> Result<T, LoadError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(LoadError::io("make a runtime"))?;
    tokio::task::LocalSet::new().block_on(&runtime, future)
}

/// Writes a line beside the result.
fn note(text: &str) {
    // Without a standard error there is nowhere to report that it is closed.
    let _closed = writeln!(io::stderr(), "{text}");
}
