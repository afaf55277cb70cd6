//! One life of a server: a process, watched by a small shell that outlives ours and ends it when we are gone.
//!
//! The shell starts the server, tells its id, and reads a pipe whose other end only we hold. When we close it, or are
//! killed, the shell reads the end of the pipe, kills the server by its id and removes its directory. Killing a server
//! on purpose goes the same way, so the way for accidents is the one that every test walks.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::certificates::Certificates;
use crate::error::Error;

/// `$1` is what to remove, the rest is the server's command line. A frozen server is killed as well: SIGKILL ends a
/// process that SIGSTOP has stopped.
const SCRIPT: &str = r#"
trap '' HUP INT QUIT TERM
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

/// How long a server may take to answer after its start.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a server listens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listener<'a> {
    pub(crate) port: u16,
    /// For TLS, and nothing else.
    pub(crate) certificates: Option<&'a Certificates>,
}

/// A running server. Its drop ends it and waits until it is gone.
#[derive(Debug)]
pub(crate) struct Process {
    shell: Child,
    /// Never written to.
    pipe: Option<ChildStdin>,
    server: Pid,
    directory: TempDir,
}

impl Process {
    /// Starts a server that keeps nothing on disk, and waits until it answers.
    pub(crate) fn start(programs: &Path, listener: Listener<'_>, settings: &[(String, String)]) -> Result<Self, Error> {
        let directory = tempfile::Builder::new()
            .prefix("redis-")
            .tempdir_in(env::temp_dir())
            .map_err(Error::io("make a temporary directory"))?;
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "watchdog"]).arg(directory.path()).arg(programs.join("redis-server"));
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        let port = listener.port.to_string();
        match listener.certificates {
            None => drop(command.args(["--port", &port])),
            Some(certificates) => {
                command.args(["--port", "0", "--tls-port", &port, "--tls-auth-clients", "no"]);
                command.arg("--tls-cert-file").arg(certificates.server());
                command.arg("--tls-key-file").arg(certificates.key());
                command.arg("--tls-ca-cert-file").arg(certificates.authority());
            }
        }
        command.arg("--dir").arg(directory.path());
        for (name, value) in settings {
            command.arg(format!("--{name}")).args(value.split(' '));
        }
        // A group of its own: a terminal's Ctrl-C goes to ours.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut shell = command.spawn().map_err(Error::io("start the watchdog"))?;
        let pipe = shell.stdin.take();
        let mut line = String::new();
        if let Some(output) = shell.stdout.take() {
            BufReader::new(output).read_line(&mut line).map_err(Error::io("read the server's id"))?;
        }
        let Some(server) = line.trim().parse().ok().and_then(Pid::from_raw) else {
            return Err(failed("the watchdog", format!("{line:?} is no process id")));
        };
        let process = Self { shell, pipe, server, directory };
        process.wait_until_it_answers(programs, listener)?;
        Ok(process)
    }

    /// Sends the server a signal.
    pub(crate) fn signal(&self, signal: Signal) -> Result<(), Error> {
        kill_process(self.server, signal).map_err(|error| Error::io("send the server a signal")(error.into()))
    }

    /// The server's process id.
    pub(crate) fn id(&self) -> i32 {
        self.server.as_raw_nonzero().get()
    }

    /// The server's directory, which goes with it.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn wait_until_it_answers(&self, programs: &Path, listener: Listener<'_>) -> Result<(), Error> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let said = fs::read_to_string(self.output()).unwrap_or_default();
            // Not asked before it says so: whoever else has the port may never answer.
            if said.contains("Ready to accept connections") {
                return cli(programs, listener, &["PING"]).map(drop);
            }
            let refused = ["Address already in use", "FATAL CONFIG FILE ERROR"];
            if refused.iter().any(|words| said.contains(words)) || Instant::now() > deadline {
                return Err(failed("redis-server", said));
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn output(&self) -> PathBuf {
        self.directory.path().join("output")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.pipe.take());
        let _nobody_to_tell = self.shell.wait();
    }
}

/// Has `redis-cli` run a command, and returns what the server answers, without the last line's end.
pub(crate) fn cli(programs: &Path, listener: Listener<'_>, words: &[&str]) -> Result<String, Error> {
    let mut command = Command::new(programs.join("redis-cli"));
    // `-e`: an answer that is an error makes the program fail.
    command.args(["-e", "-h", "127.0.0.1", "-p", &listener.port.to_string()]).env_remove("REDISCLI_AUTH");
    if let Some(certificates) = listener.certificates {
        command.arg("--tls").arg("--cacert").arg(certificates.authority());
    }
    command.args(words);
    let done = command.output().map_err(Error::io("start redis-cli"))?;
    let said = String::from_utf8_lossy(&done.stdout);
    if done.status.success() {
        return Ok(said.trim_end_matches('\n').to_owned());
    }
    let output = [said.trim(), String::from_utf8_lossy(&done.stderr).trim()].join("\n");
    Err(failed("redis-cli", output.trim().to_owned()))
}

fn failed(program: &str, output: String) -> Error {
    Error::Failed { program: program.to_owned(), output }
}
