//! Many sockets by `chat-loadgen`, which measures what they cost the server.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::bare::Bare;
use crate::chat::Chat;
use crate::process::command;
use crate::programs::release;

/// How a command of the generator gets at a server.
#[derive(Clone)]
pub(super) struct Crowd {
    arguments: Vec<String>,
    process: u32,
    /// Of the bare server, which is recognised by the way messages are published.
    publish: Vec<String>,
}

/// What the generator says.
pub(super) struct CrowdReport(Value);

impl Crowd {
    /// Sockets of admins, ten each, in extended mode.
    pub(super) fn of_chat(chat: &Chat, data: &Path) -> Self {
        let secret = data.join("development-secret").to_string_lossy().into_owned();
        let url = format!("http://{}", chat.address);
        let arguments = ["--url", &url, "--secret-file", &secret, "--mode", "extended"];
        Self { arguments: arguments.map(str::to_owned).to_vec(), process: chat.process.id(), publish: Vec::new() }
    }

    /// Sockets that say nothing and hear what is published.
    pub(super) fn of_bare(bare: &Bare) -> Self {
        let url = format!("http://{}", bare.address);
        let arguments = ["--url", &url, "--token", "none", "--mode", "base", "--path", "/ws"];
        Self {
            arguments: arguments.map(str::to_owned).to_vec(),
            process: bare.process.id(),
            publish: ["--publish-path", "/publish"].map(str::to_owned).to_vec(),
        }
    }

    /// In the sessions of a file.
    pub(super) fn in_sessions(mut self, sessions: &Path) -> Self {
        self.arguments.extend(["--session-ids-file".to_owned(), sessions.to_string_lossy().into_owned()]);
        self
    }

    /// Runs it to its end.
    pub(super) fn run(&self, what: &str, arguments: &[&str], length: Duration) -> anyhow::Result<CrowdReport> {
        let mut generator = generator(what, length);
        generator.args(&self.arguments).args(arguments).args(["--server-pid", &self.process.to_string()]);
        if what == "fanout" {
            generator.args(&self.publish);
        }
        report(&generator.output()?)
    }

    /// Starts a command that only holds sockets, without waiting for its end.
    pub(super) fn start(&self, what: &str, sockets: usize, length: Duration) -> Command {
        let mut generator = generator(what, length);
        generator.args(&self.arguments).args(["--sockets", &sockets.to_string()]);
        generator
    }
}

fn generator(what: &str, length: Duration) -> Command {
    let mut generator = command(&release("chat-loadgen"));
    generator.args([what, "--json", "--quiet", "--duration", &format!("{}ms", length.as_millis())]);
    generator
}

/// Anything that went wrong with a socket makes it fail.
pub(super) fn report(done: &Output) -> anyhow::Result<CrowdReport> {
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "chat-loadgen failed: {said}{}", String::from_utf8_lossy(&done.stdout));
    let report: Value = serde_json::from_slice(&done.stdout).context("chat-loadgen prints no JSON")?;
    let is_empty = |counts: &Value| counts.as_object().is_none_or(serde_json::Map::is_empty);
    ensure!(report.get("closeReasons").is_none_or(is_empty), "sockets were refused, closed or lost: {report}");
    Ok(CrowdReport(report))
}

impl CrowdReport {
    pub(super) fn number(&self, path: &str) -> anyhow::Result<f64> {
        let number = self.0.pointer(path).and_then(Value::as_f64);
        number.with_context(|| format!("no number at {path} in {}", self.0))
    }
}
