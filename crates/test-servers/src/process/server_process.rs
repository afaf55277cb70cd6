//! A server that is one process, which its watchdog starts and kills.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, thread};

use rustix::process::{Pid, Signal, kill_process};

use crate::error::Error;
use crate::process::{ThrowawayDirectory, Watchdog};

/// `$1` is the directory, the rest is the server's command line. SIGKILL also ends a process that SIGSTOP has stopped.
const SCRIPT: &str = r#"
directory="$1"
shift
"$@" >"$directory/output" 2>&1 &
server=$!
echo "$server"
exec >/dev/null
cat
kill -KILL "$server"
wait "$server"
rm -rf -- "$directory"
"#;

/// How long a server may take until it is ready.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server. Its drop kills it and waits until it is gone.
#[derive(Debug)]
pub(crate) struct ServerProcess {
    watchdog: Watchdog,
    id: Pid,
    program: String,
}

impl ServerProcess {
    /// Starts a command line in the directory, which goes with the process.
    pub(crate) fn start(directory: ThrowawayDirectory, command_line: Vec<OsString>) -> Result<Self, Error> {
        let program = command_line.first().map(|program| Path::new(program).file_name().unwrap_or(program));
        let program = program.unwrap_or_default().to_string_lossy().into_owned();
        let mut watchdog = Watchdog::start(directory, SCRIPT, command_line)?;
        let mut line = String::new();
        if let Some(output) = watchdog.take_output() {
            BufReader::new(output).read_line(&mut line).map_err(Error::io("read the server's process id"))?;
        }
        let Some(id) = line.trim().parse().ok().and_then(Pid::from_raw) else {
            return Err(Error::failed("the watchdog", "running", format!("{line:?} is no process id")));
        };
        Ok(Self { watchdog, id, program })
    }

    /// Waits until the server is ready, which is decided from its output, or has written one of the fatal texts.
    pub(crate) fn wait_until(&self, is_ready: impl Fn(&str) -> bool, fatal: &[&str]) -> Result<(), Error> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let output = fs::read_to_string(self.directory().join("output")).unwrap_or_default();
            if is_ready(&output) {
                return Ok(());
            }
            if fatal.iter().any(|text| output.contains(text)) || Instant::now() > deadline {
                return Err(Error::failed(&self.program, "not ready", output));
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends the server a signal.
    pub(crate) fn signal(&self, signal: Signal) -> Result<(), Error> {
        kill_process(self.id, signal).map_err(|error| Error::io("send the server a signal")(error.into()))
    }

    /// The server's process id.
    pub(crate) fn id(&self) -> i32 {
        self.id.as_raw_nonzero().get()
    }

    /// The server's directory, which goes with it.
    pub(crate) fn directory(&self) -> &Path {
        self.watchdog.directory().path()
    }
}
