//! The load generator `wrk` (<https://github.com/wg/wrk>), to see what our own costs beside it.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context, ensure};

use super::chat::Chat;

/// A closed loop of requests that a script makes.
pub(super) struct Wrk {
    address: String,
    script: PathBuf,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome {
    pub(super) per_second: f64,
    /// Processor time of wrk per request.
    pub(super) generator_cpu_us: f64,
}

impl Wrk {
    /// Messages of 100 characters to sessions drawn at random, a fresh idempotency key each.
    pub(super) fn sending(chat: &Chat, sessions: &[String], script: &Path) -> anyhow::Result<Self> {
        let mut text = table(sessions);
        let _infallible = writeln!(
            text,
            r#"local n, run, heads = 0, os.time() .. "-", {{}}
function init()
  math.randomseed(os.time())
  local headers = {{ ["Authorization"] = "Bearer {token}", ["Content-Type"] = "application/json",
                    ["Idempotency-Key"] = "@" }}
  local body = '{{"content":"' .. string.rep("m", 100) .. '"}}'
  for i, id in ipairs(sessions) do
    local whole = wrk.format("POST", "/api/chat/sessions/" .. id .. "/messages", headers, body)
    local at = whole:find("@", 1, true)
    heads[i] = {{ whole:sub(1, at - 1), whole:sub(at + 1) }}
  end
end
function request()
  n = n + 1
  local parts = heads[math.random(#heads)]
  return parts[1] .. run .. n .. parts[2]
end"#,
            token = chat.token
        );
        Self::new(chat, script, &text)
    }

    /// The newest 50 messages of sessions drawn at random.
    pub(super) fn reading(chat: &Chat, sessions: &[String], script: &Path) -> anyhow::Result<Self> {
        let mut text = table(sessions);
        let _infallible = writeln!(
            text,
            r#"local requests = {{}}
function init()
  math.randomseed(os.time())
  local headers = {{ ["Authorization"] = "Bearer {token}" }}
  for i, id in ipairs(sessions) do
    requests[i] = wrk.format("GET", "/api/chat/sessions/" .. id .. "/messages?limit=50", headers)
  end
end
function request()
  return requests[math.random(#requests)]
end"#,
            token = chat.token
        );
        Self::new(chat, script, &text)
    }

    fn new(chat: &Chat, script: &Path, text: &str) -> anyhow::Result<Self> {
        fs::write(script, text).with_context(|| format!("{} cannot be written", script.display()))?;
        Ok(Self { address: chat.address.clone(), script: script.to_owned() })
    }

    /// Runs it on one thread. Any answer other than 2xx makes it fail.
    pub(super) fn run(&self, connections: usize, length: Duration) -> anyhow::Result<Outcome> {
        // The shell's `times` says what its children took, and it has no other child.
        let script = r#""$@" || exit; times"#;
        let output = Command::new("sh")
            .args(["-c", script, "sh", "wrk", "--threads=1"])
            .arg(format!("--connections={connections}"))
            .arg(format!("--duration={}s", length.as_secs().max(1)))
            .arg("--script")
            .arg(&self.script)
            .arg(format!("http://{}/", self.address))
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success(), "wrk failed: {text}{}", String::from_utf8_lossy(&output.stderr));
        ensure!(!text.contains("Non-2xx"), "some requests were refused: {text}");
        ensure!(!text.contains("Socket errors"), "some connections broke: {text}");
        read(&text).with_context(|| format!("from wrk: {text}"))
    }
}

fn table(sessions: &[String]) -> String {
    let mut script = String::from("local sessions = {\n");
    for session in sessions {
        let _infallible = writeln!(script, "  {session:?},");
    }
    script.push_str("}\n");
    script
}

/// Finds the figures in what wrk, and after it the shell, prints.
fn read(text: &str) -> anyhow::Result<Outcome> {
    let rate = text.lines().find_map(|line| line.strip_prefix("Requests/sec:")).context("no rate")?;
    let per_second = rate.trim().parse().context("no rate")?;
    let requests = text.lines().find_map(|line| line.trim().split_once(" requests in ")).context("no requests")?;
    let requests: f64 = requests.0.parse().context("no number of requests")?;
    let times = text.lines().last().unwrap_or_default();
    let seconds: Option<f64> = times.split_whitespace().map(minutes_and_seconds).sum();
    let seconds = seconds.with_context(|| format!("no times in {times:?}"))?;
    Ok(Outcome { per_second, generator_cpu_us: seconds * 1e6 / requests })
}

/// `0m1.234s`.
fn minutes_and_seconds(text: &str) -> Option<f64> {
    let (minutes, seconds) = text.strip_suffix('s')?.split_once('m')?;
    Some(minutes.parse::<f64>().ok()? * 60.0 + seconds.parse::<f64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_processor_time_are_found() {
        let text = "Running 3s test\n  30000 requests in 3.04s, 1.50GB read\nRequests/sec:   9868.42\n\
                    Transfer/sec:    504.97MB\n0m0.001s 0m0.002s\n0m0.180s 0m0.420s\n";
        let outcome = read(text).unwrap();
        assert!((outcome.per_second - 9_868.42).abs() < 1e-9 && (outcome.generator_cpu_us - 20.0).abs() < 1e-9);
        assert!(read("Requests/sec: 1\n").is_err());
    }
}
