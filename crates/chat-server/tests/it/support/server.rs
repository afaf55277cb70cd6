//! A server process with a data directory of its own.

use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::lines::Lines;
use super::{Person, chat_server, run};

/// How long a test waits for something that should come at once, on a machine that may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Looks now and then until what is waited for is there, such as what another process writes, which does not announce it.
pub(crate) async fn eventually(what: &str, mut look: impl AsyncFnMut() -> bool) {
    let reached = async {
        while !look().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, reached).await.is_ok(), "not in time: {what}");
}

/// A running server. It is killed when it is dropped; the data directory goes with its last user.
pub(crate) struct TestServer {
    pub(crate) addr: SocketAddr,
    pub(crate) stdout: Lines,
    pub(crate) stderr: Lines,
    pub(crate) ready_after: Duration,
    child: Child,
    home: Option<TempDir>,
    data_dir: PathBuf,
}

impl TestServer {
    /// Starts a server in development mode on an empty data directory.
    pub(crate) async fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let data_dir = home.path().join("data");
        let mut server = Self::start_on(&data_dir, |_| {}).await;
        server.home = Some(home);
        server
    }

    /// Starts a server on a data directory that the test keeps, and waits until it is ready.
    pub(crate) async fn start_on(data_dir: &Path, configure: impl FnOnce(&mut Command)) -> Self {
        let started = Instant::now();
        let mut command = chat_server(data_dir);
        command.env("CHAT_LISTEN", "127.0.0.1:0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        configure(&mut command);
        let mut child = command.spawn().unwrap();
        let stdout: Box<dyn Read + Send> = match child.stdout.take() {
            Some(stdout) => Box::new(stdout),
            // A test has put something else in its place.
            None => Box::new(io::empty()),
        };
        let stdout = Lines::collect(stdout);
        let stderr = Lines::collect(child.stderr.take().unwrap());
        let addr = stderr.wait_for(PATIENCE, |lines| lines.iter().find_map(|line| field(line, "address")));
        let ready = reqwest::get(format!("http://{addr}/readyz")).await.unwrap();
        assert_eq!(ready.status(), 200);
        Self { addr, stdout, stderr, ready_after: started.elapsed(), child, home: None, data_dir: data_dir.to_owned() }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// Where the server's metrics are.
    pub(crate) fn admin_url(&self, path: &str) -> String {
        let addr = self.stderr.wait_for(PATIENCE, |lines| lines.iter().find_map(|line| field(line, "admin.address")));
        format!("http://{addr}{path}")
    }

    pub(crate) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Someone with a token from the server's own command line.
    pub(crate) fn person(&self, sub: &str, role: &str) -> Person {
        let made = run(chat_server(&self.data_dir).args(["token", "--sub", sub, "--role", role]));
        assert_eq!(made.code, 0, "{}", made.stderr);
        Person::new(self.addr, made.stdout.trim_end())
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        // `kill` is built into every shell.
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.id())]).status().unwrap();
        assert!(sent.success());
    }

    /// Ends the process as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the end of the process.
    pub(crate) async fn ended(mut self) -> (ExitStatus, Vec<String>) {
        let stderr = self.stderr.clone();
        tokio::task::spawn_blocking(move || {
            let lines = stderr.all();
            (self.child.wait().unwrap(), lines)
        })
        .await
        .unwrap()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _already_gone = self.child.wait();
    }
}

/// The address in a field of a log line.
fn field(line: &str, name: &str) -> Option<SocketAddr> {
    serde_json::from_str::<Value>(line).ok()?.get(name)?.as_str()?.parse().ok()
}
