//! The programs under measurement, on free ports, ended when they are dropped.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::release;

const PATIENCE: Duration = Duration::from_secs(30);

/// A child process that does not outlive the measurement.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _already_gone = self.0.kill();
        let _already_reaped = self.0.wait();
    }
}

/// The chat server in development mode.
pub(super) struct Chat {
    process: Running,
    pub(super) address: String,
    /// Of an admin, who may do everything.
    pub(super) token: String,
    /// From the start of the process to the first answer of `/readyz`.
    pub(super) first_answer_after: Duration,
}

impl Chat {
    pub(super) fn start(data: &Path) -> anyhow::Result<Self> {
        let address = free_address()?;
        let started = Instant::now();
        let child = Command::new(release("chat-server"))
            .args(["serve", "--listen", &address, "--admin-listen", "127.0.0.1:0", "--log", "warn", "--data-dir"])
            .arg(data)
            .stdout(Stdio::null())
            .spawn()
            .context("the server cannot be started")?;
        let process = Running(child);
        wait_for(&address, "/readyz")?;
        let first_answer_after = started.elapsed();
        let made = Command::new(release("chat-server"))
            .args(["token", "--sub", "root", "--role", "admin", "--data-dir"])
            .arg(data)
            .output()?;
        ensure!(made.status.success(), "no token: {}", String::from_utf8_lossy(&made.stderr));
        let token = String::from_utf8(made.stdout)?.trim().to_owned();
        Ok(Self { process, address, token, first_answer_after })
    }

    /// Resident memory as the kernel counts it.
    pub(super) fn resident_mib(&self) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib / 1024.0)
    }

    pub(super) fn open_sessions(&self, count: usize) -> anyhow::Result<Vec<String>> {
        (0..count).map(|_| id_of(&self.call("POST", "/api/chat/sessions", Some("{}"))?)).collect()
    }

    pub(super) fn sessions(&self) -> anyhow::Result<Vec<String>> {
        let list = self.call("GET", "/api/chat/sessions?limit=100", None)?;
        let list: Value = serde_json::from_slice(&list)?;
        let sessions = list.get("sessions").and_then(Value::as_array).context("no list of sessions")?;
        sessions.iter().map(id).collect()
    }

    /// How many bytes a page of 50 messages has.
    pub(super) fn page_bytes(&self, session: &str) -> anyhow::Result<usize> {
        Ok(self.call("GET", &format!("/api/chat/sessions/{session}/messages?limit=50"), None)?.len())
    }

    pub(super) fn messages_exchanged(&self) -> anyhow::Result<u64> {
        let stats: Value = serde_json::from_slice(&self.call("GET", "/api/chat/stats", None)?)?;
        stats.get("messagesExchanged").and_then(Value::as_u64).context("no figure")
    }

    fn call(&self, method: &str, path: &str, body: Option<&str>) -> anyhow::Result<Vec<u8>> {
        let headers = format!("Authorization: Bearer {}\r\nContent-Type: application/json\r\n", self.token);
        call(&self.address, method, path, &headers, body.unwrap_or_default())
    }
}

/// The comparison: actix-web with a fixed answer.
pub(super) struct Hello {
    pub(super) address: String,
    _process: Running,
}

impl Hello {
    pub(super) fn start(bytes: usize) -> anyhow::Result<Self> {
        let address = free_address()?;
        let workers = thread::available_parallelism().map_or(2, usize::from);
        let child = Command::new(release("examples/hello"))
            .args([&address, &bytes.to_string(), &workers.to_string()])
            .spawn()
            .context("the fixed answer cannot be started")?;
        let process = Running(child);
        wait_for(&address, "/")?;
        Ok(Self { address, _process: process })
    }
}

fn free_address() -> anyhow::Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

fn wait_for(address: &str, path: &str) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if call(address, "GET", path, "", "").is_ok() {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(1));
    }
    bail!("no answer from {address}{path} within {PATIENCE:?}")
}

/// One request over a connection of its own; the body of a 2xx answer.
fn call(address: &str, method: &str, path: &str, headers: &str, body: &str) -> anyhow::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    ensure!(answer.starts_with(b"HTTP/1.1 2"), "refused: {}", String::from_utf8_lossy(&answer));
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").context("no end of the headers")?;
    Ok(answer.split_off(end + 4))
}

fn id_of(body: &[u8]) -> anyhow::Result<String> {
    let value: Value = serde_json::from_slice(body)?;
    id(&value)
}

fn id(value: &Value) -> anyhow::Result<String> {
    Ok(value.get("id").and_then(Value::as_str).context("no id")?.to_owned())
}
