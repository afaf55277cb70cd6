//! `chat-loadgen`: the command line of the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    chat_loadgen::cli::main()
}
