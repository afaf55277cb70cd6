//! A process of a test that is killed, and what must be gone then.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

/// Set in the process that is killed.
const MARKER: &str = "TEST_SERVERS_KILLED_PROCESS";
/// A second suffices on a quiet machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Runs the test `name` of this program again in another process, which starts a server and returns its port and
/// directory; kills that process, and waits until the server and the directory are gone.
pub(crate) fn leaves_nothing<S>(name: &str, start: impl FnOnce() -> (S, u16, String)) {
    if env::var_os(MARKER).is_some() {
        let (_server, port, directory) = start();
        let mut output = std::io::stdout();
        writeln!(output, "\nserver {port} {directory}").unwrap();
        output.flush().unwrap();
        // Until it is killed.
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        return;
    }
    let mut process = Command::new(env::current_exe().unwrap())
        .args(["--exact", name, "--include-ignored", "--nocapture"])
        .env(MARKER, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
    let line = output.find(|line| line.starts_with("server ")).unwrap();
    let [_, port, directory] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
    let port: u16 = port.parse().unwrap();
    process.kill().unwrap();
    process.wait().unwrap();
    let deadline = Instant::now() + PATIENCE;
    while Path::new(directory).exists() {
        assert!(Instant::now() < deadline, "{directory} is still there");
        thread::sleep(Duration::from_millis(5));
    }
    // The directory goes last. A connection from before would not do as a proof: PostgreSQL lets a client that it has not
    // heard of finish its first message, for up to a minute.
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "the server still listens");
}
