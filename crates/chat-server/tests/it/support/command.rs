//! One run of the binary.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Tests do more from one address and as one person than people do. Those of the limits set their own.
const WITHOUT_LIMITS: [&str; 6] = [
    "CHAT_RATE_MESSAGES",
    "CHAT_RATE_SESSIONS",
    "CHAT_RATE_TYPING",
    "CHAT_RATE_DOWNLOADS",
    "CHAT_RATE_SOCKETS",
    "CHAT_CONNECTIONS_PER_ADDRESS",
];

/// The binary with a data directory, without limits, and with nothing of this process's environment. Its admin address is a
/// free one too.
pub(crate) fn chat_server(data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
    command
        .env_clear()
        .env("CHAT_DATA_DIR", data_dir)
        .env("CHAT_ADMIN_LISTEN", "127.0.0.1:0")
        .envs(WITHOUT_LIMITS.map(|variable| (variable, "off")))
        .current_dir(data_dir.parent().unwrap());
    command
}

/// How long a command that ends by itself may take; far more than it needs.
const PATIENCE: Duration = Duration::from_mins(1);

/// Runs a command to its end. A command that does not come to an end, such as a server that should have refused to
/// start, is killed and fails the test.
pub(crate) fn run(command: &mut Command) -> Finished {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = child.id().to_string();
    let (finished, waiting) = mpsc::channel::<()>();
    let watchdog = thread::spawn(move || {
        if waiting.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            Command::new("kill").args(["-9", &pid]).status().unwrap();
        }
    });
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    drop(finished);
    watchdog.join().unwrap();
    let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    Finished { code: status.code().unwrap_or_else(|| panic!("it did not end by itself: {stderr}")), stdout, stderr }
}
