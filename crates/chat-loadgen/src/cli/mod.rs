//! The command line: one file for each subcommand, and what they share.

mod abort;
mod catch_up;
mod check;
mod common;
mod crowd;
mod drive;
mod fanout;
mod flood;
mod hold;
mod occupy;
mod read;
mod send;
mod stall;
mod tickets;
mod uploads;
mod watch;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::LoadError;

/// Load generator, fault driver and history checker for the chat service. It speaks only the public API.
#[derive(Debug, Parser)]
#[command(name = "chat-loadgen", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Send(send::Send),
    Read(read::Read),
    Tickets(tickets::Tickets),
    Watch(watch::Watch),
    Hold(hold::Hold),
    Fanout(fanout::Fanout),
    Stall(stall::Stall),
    CatchUp(catch_up::CatchUp),
    Uploads(uploads::StopUploads),
    Abort(abort::Abort),
    Flood(flood::FloodSockets),
    Occupy(occupy::Occupy),
    Check(check::Check),
    Drive(drive::Drive),
}

/// How a command ended that could do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Good,
    /// What was checked is wrong, or no request of a load succeeded; the output says how.
    Bad,
}

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
        Command::Send(send) => send.run(),
        Command::Read(read) => read.run(),
        Command::Tickets(tickets) => tickets.run(),
        Command::Watch(watch) => watch.run(),
        Command::Hold(hold) => hold.run(),
        Command::Fanout(fanout) => fanout.run(),
        Command::Stall(stall) => stall.run(),
        Command::CatchUp(catch_up) => catch_up.run(),
        Command::Uploads(uploads) => uploads.run(),
        Command::Abort(abort) => abort.run(),
        Command::Flood(flood) => flood.run(),
        Command::Occupy(occupy) => occupy.run(),
        Command::Check(check) => check.run(),
        Command::Drive(drive) => drive.run(),
    };
    match done {
        Ok(Verdict::Good) => ExitCode::SUCCESS,
        Ok(Verdict::Bad) => ExitCode::from(1),
        Err(error) => {
            note(&format!("error: {error}"));
            ExitCode::from(2)
        }
    }
}

/// Tells people something beside the result.
fn note(text: &str) {
    // Nobody is there to be told that nobody is there.
    let _closed = writeln!(io::stderr(), "{text}");
}

/// Writes the result of a command.
fn print(text: &str) -> Result<(), LoadError> {
    io::stdout().write_all(text.as_bytes()).map_err(LoadError::io("write the result"))
}
