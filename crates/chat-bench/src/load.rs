//! Load on the service: the project's own `chat-loadgen`, in a closed loop unless a rate is asked for.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::chat::Chat;
use super::figures::Figures;
use super::hello::HelloServer;
use super::process::command;
use super::programs::release;

/// Not counted: connections are made, and what has changed since the last load is read again.
const WARM_UP: &str = "500ms";

/// Characters of a message.
const MESSAGE_CHARS: &str = "100";

/// Requests to send over and over.
#[derive(Clone)]
pub(super) struct Load {
    address: String,
    token: String,
    process: u32,
    arguments: Vec<String>,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct LoadOutcome {
    pub(super) per_second: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    /// Processor time of the service per request.
    pub(super) service_cpu_us: f64,
    /// Processor time of the generator per request.
    pub(super) generator_cpu_us: f64,
}

impl Load {
    /// Messages of 100 characters with an idempotency key each, to the sessions of a file in turn.
    pub(super) fn sending(chat: &Chat, sessions: &Path) -> Self {
        let arguments = ["send", "--length", MESSAGE_CHARS, "--idempotency", "on"].map(str::to_owned).to_vec();
        Self::on(chat, arguments).with_sessions(sessions)
    }

    /// `GET` of a path without blanks.
    pub(super) fn getting(chat: &Chat, path: &str) -> Self {
        Self::on(chat, ["read", "--path", path].map(str::to_owned).to_vec())
    }

    /// `GET` of a path with `{session}`, which is each session of a file in turn.
    pub(super) fn reading(chat: &Chat, path: &str, sessions: &Path) -> Self {
        Self::getting(chat, path).with_sessions(sessions)
    }

    /// The same for pages before the message that has `depth` newer ones in its session.
    pub(super) fn reading_before(chat: &Chat, path: &str, sessions: &Path, depth: u32) -> Self {
        let mut load = Self::reading(chat, path, sessions);
        load.arguments.extend(["--before".to_owned(), depth.to_string()]);
        load
    }

    /// The fixed answer.
    pub(super) fn of_hello(hello: &HelloServer) -> Self {
        let arguments = ["read", "--path", "/"].map(str::to_owned).to_vec();
        Self { address: hello.address.clone(), token: "none".to_owned(), process: hello.process.id(), arguments }
    }

    fn on(chat: &Chat, arguments: Vec<String>) -> Self {
        Self { address: chat.address.clone(), token: chat.token.clone(), process: chat.process.id(), arguments }
    }

    fn with_sessions(mut self, sessions: &Path) -> Self {
        self.arguments.extend(["--session-ids-file".to_owned(), sessions.to_string_lossy().into_owned()]);
        self
    }

    /// Without the header `Authorization`: the path says who asks.
    pub(super) fn without_token(mut self) -> Self {
        self.token.clear();
        self
    }

    /// In the name of another person.
    pub(super) fn in_the_name_of(mut self, token: String) -> Self {
        self.token = token;
        self
    }

    /// In an open loop at so many requests per second.
    pub(super) fn at_rate(mut self, rate: &str) -> Self {
        self.arguments.extend(["--rate", rate].map(str::to_owned));
        self
    }

    /// Runs it. Any answer other than 2xx, and any request without an answer, makes it fail.
    pub(super) fn run(&self, connections: usize, length: Duration) -> anyhow::Result<LoadOutcome> {
        let mut generator = command(&release("chat-loadgen"));
        generator.args(&self.arguments).env("CHAT_LOADGEN_TOKEN", &self.token);
        generator.args(["--url", &format!("http://{}", self.address), "--warmup", WARM_UP, "--json", "--quiet"]);
        generator.args(["--connections", &connections.to_string(), "--server-pid", &self.process.to_string()]);
        generator.args(["--duration", &format!("{}ms", length.as_millis())]);
        let done = generator.output()?;
        ensure!(done.status.success(), "chat-loadgen failed: {}", String::from_utf8_lossy(&done.stderr));
        let report: Value = serde_json::from_slice(&done.stdout).context("chat-loadgen prints no JSON")?;
        ensure!(
            report.get("requests") == report.get("succeeded"),
            "some requests were refused or not answered: {} {}",
            report.get("statuses").unwrap_or(&Value::Null),
            report.get("failures").unwrap_or(&Value::Null)
        );
        let number = |path: &str| {
            let number = report.pointer(path).and_then(Value::as_f64);
            number.with_context(|| format!("no number at {path} in {report}"))
        };
        Ok(LoadOutcome {
            per_second: number("/perSecond")?,
            p50_ms: number("/latencyUs/p50")? / 1_000.0,
            p99_ms: number("/latencyUs/p99")? / 1_000.0,
            service_cpu_us: number("/serverCpuUsPerRequest")?,
            generator_cpu_us: number("/generatorCpuUsPerRequest")?,
        })
    }
}

impl LoadOutcome {
    /// Records everything under a name.
    pub(super) fn record(self, figures: &mut Figures, name: &str) {
        figures.record(name, "/s", self.per_second);
        figures.record(format!("{name}, p50"), "ms", self.p50_ms);
        figures.record(format!("{name}, p99"), "ms", self.p99_ms);
        figures.record(format!("{name}, processor time of the service"), "µs each", self.service_cpu_us);
    }
}
