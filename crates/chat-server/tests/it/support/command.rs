//! One run of the binary.

use std::path::Path;
use std::process::{Command, Output};

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The binary with a data directory and nothing of this process's environment.
pub(crate) fn chat_server(data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
    command.env_clear().env("CHAT_DATA_DIR", data_dir).current_dir(data_dir.parent().unwrap());
    command
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Finished {
    let Output { status, stdout, stderr } = command.output().unwrap();
    Finished {
        code: status.code().expect("the command was ended by a signal"),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}
