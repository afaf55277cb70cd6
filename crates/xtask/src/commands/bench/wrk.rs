//! The load generator `wrk` and the scripts that make it send what is measured.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::server::{Chat, Hello};

/// A closed loop of requests over a number of connections.
pub(super) struct Load {
    address: String,
    script: String,
    connections: usize,
    length: Duration,
}

/// What came of it.
pub(super) struct Outcome {
    pub(super) per_second: f64,
}

impl Load {
    /// Messages of 100 characters, sent by the sessions' owner, a fresh idempotency key each.
    pub(super) fn sending(chat: &Chat, sessions: &[String], connections: usize, length: Duration) -> Self {
        let mut script = sessions_table(sessions);
        let _infallible = writeln!(
            script,
            r#"local n, run = 0, tostring(os.time()) .. tostring({{}}):sub(8)
local headers = {{ ["Authorization"] = "Bearer {token}", ["Content-Type"] = "application/json" }}
local body = '{{"content":"' .. string.rep("m", 100) .. '"}}'
request = function()
  n = n + 1
  headers["Idempotency-Key"] = run .. "-" .. n
  return wrk.format("POST", "/api/chat/sessions/" .. sessions[n % #sessions + 1] .. "/messages", headers, body)
end"#,
            token = chat.token
        );
        Self { address: chat.address.clone(), script, connections, length }
    }

    /// The newest 50 messages of one session after the other.
    pub(super) fn reading(chat: &Chat, sessions: &[String], connections: usize, length: Duration) -> Self {
        let mut script = sessions_table(sessions);
        let _infallible = writeln!(
            script,
            r#"local n = 0
local headers = {{ ["Authorization"] = "Bearer {token}" }}
request = function()
  n = n + 1
  return wrk.format("GET", "/api/chat/sessions/" .. sessions[n % #sessions + 1] .. "/messages?limit=50", headers)
end"#,
            token = chat.token
        );
        Self { address: chat.address.clone(), script, connections, length }
    }

    /// The same request again and again.
    pub(super) fn of_hello(hello: &Hello, connections: usize, length: Duration) -> Self {
        Self { address: hello.address.clone(), script: String::new(), connections, length }
    }

    /// Runs the load. Any answer other than 2xx makes it fail.
    pub(super) fn run(&self, scratch: &Path) -> anyhow::Result<Outcome> {
        let script = scratch.join("load.lua");
        std::fs::write(&script, &self.script)?;
        let output = Command::new("wrk")
            .arg(format!("--connections={}", self.connections))
            .arg("--threads=1")
            .arg(format!("--duration={}s", self.length.as_secs()))
            .arg("--script")
            .arg(&script)
            .arg(format!("http://{}/", self.address))
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success(), "wrk failed: {text}{}", String::from_utf8_lossy(&output.stderr));
        ensure!(!text.contains("Non-2xx"), "some requests were refused: {text}");
        ensure!(!text.contains("Socket errors"), "some connections broke: {text}");
        let rate = text.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:"));
        let per_second =
            rate.and_then(|rate| rate.trim().parse().ok()).with_context(|| format!("no rate in: {text}"))?;
        Ok(Outcome { per_second })
    }
}

fn sessions_table(sessions: &[String]) -> String {
    let mut script = String::from("local sessions = {\n");
    for session in sessions {
        let _infallible = writeln!(script, "  {session:?},");
    }
    script.push_str("}\n");
    script
}
