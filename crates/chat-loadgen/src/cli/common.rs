//! Flags that several subcommands share.

use std::collections::hash_map::RandomState;
use std::fmt::Write;
use std::fs;
use std::hash::BuildHasher;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{Verdict, note, print};
use crate::error::LoadError;
use crate::http::Target;
use crate::load::{Plan, Stop, Work};
use crate::measure::{CpuMeter, Latency, Report};
use crate::token::Tokens;
use crate::units;

/// The service and who calls it.
#[derive(Debug, Args)]
pub(super) struct Service {
    /// The service's base URL.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080", value_parser = Target::parse)]
    pub(super) url: Target,
    #[command(flatten)]
    pub(super) identity: Identity,
    /// How long an answer may take.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = units::duration)]
    pub(super) timeout: Duration,
}

/// Exactly one of these says who calls. That one is there is seen to when it is needed: a saved history needs none.
#[derive(Args)]
#[group(multiple = false)]
pub(super) struct Identity {
    /// A bearer token, used for every request.
    #[arg(long, value_name = "TOKEN", env = "CHAT_LOADGEN_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// The secret of the service, to sign HS256 tokens for as many people as the run needs.
    #[arg(long, value_name = "SECRET", env = "CHAT_LOADGEN_SECRET", hide_env_values = true)]
    secret: Option<String>,
    /// A file with that secret, such as `development-secret` in the service's data directory.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Neither a token nor a secret belongs into a log.
        out.debug_struct("Identity").field("secret_file", &self.secret_file).finish_non_exhaustive()
    }
}

impl Identity {
    pub(super) fn tokens(&self) -> Result<Tokens, LoadError> {
        if let Some(token) = &self.token {
            return Ok(Tokens::Given(token.clone()));
        }
        let secret = match (&self.secret, &self.secret_file) {
            (Some(secret), _) => secret.clone(),
            (None, Some(file)) => {
                fs::read_to_string(file).map_err(LoadError::io(format!("read {}", file.display())))?
            }
            (None, None) => {
                return Err(LoadError::setup(
                    "nobody is named who calls: give --token, or --secret or --secret-file to sign tokens with, \
                     such as --secret-file chat-data/development-secret",
                ));
            }
        };
        Ok(Tokens::Signed(secret.trim().as_bytes().to_vec()))
    }
}

/// A switch that reads as what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Switch {
    On,
    Off,
}

/// How much load, for how long.
#[derive(Debug, Args)]
pub(super) struct Shape {
    /// Connections at the same time.
    #[arg(long, value_name = "NUMBER", default_value = "64", value_parser = units::count)]
    connections: usize,
    /// Threads that serve them. One is enough for most services and leaves them the other cores.
    #[arg(long, value_name = "NUMBER", default_value = "1", value_parser = units::count)]
    threads: usize,
    /// How long the measured part takes.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = units::duration)]
    duration: Duration,
    /// Ends after this many measured requests instead.
    #[arg(long, value_name = "NUMBER", conflicts_with = "duration", value_parser = units::requests)]
    requests: Option<u64>,
    /// Load before the measured part.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = units::duration_or_zero)]
    warmup: Duration,
    /// Requests per second on a fixed schedule (open loop). Without it, each connection sends its next request when
    /// it has the answer to the last one (closed loop).
    #[arg(long, value_name = "RATE", value_parser = units::rate)]
    rate: Option<f64>,
    /// The service's process on this machine, to report its processor time per request.
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
    /// Print the figures as one JSON object.
    #[arg(long)]
    json: bool,
    /// No line of progress each second.
    #[arg(long)]
    quiet: bool,
}

impl Shape {
    /// Refuses a `--server-pid` that names no process, before anything is sent.
    pub(super) fn check_server_pid(&self) -> Result<(), LoadError> {
        check_server_pid(self.server_pid)
    }

    /// Runs the load and prints its figures. Without a single success it is [`Verdict::Bad`].
    pub(super) fn run(&self, command: &'static str, service: &Service, work: Work) -> Result<Verdict, LoadError> {
        let plan = Plan {
            command,
            target: service.url.clone(),
            work: work.into(),
            connections: self.connections,
            threads: self.threads.min(self.connections),
            warmup: self.warmup,
            stop: self.requests.map_or(Stop::After(self.duration), Stop::Requests),
            rate: self.rate,
            timeout: service.timeout,
            server: self.server_pid,
            progress: !self.quiet,
        };
        let report = crate::load::run(plan)?;
        print(&self.shown(&report)?)?;
        if report.succeeded > 0 {
            return Ok(Verdict::Good);
        }
        note(&format!("no request succeeded: answers {}; without an answer {}", report.answers(), report.unanswered()));
        Ok(Verdict::Bad)
    }

    fn shown(&self, report: &Report) -> Result<String, LoadError> {
        if self.json { json_line(report) } else { Ok(report.table()) }
    }
}

/// Refuses a `--server-pid` that names no process, before anything is sent.
pub(super) fn check_server_pid(pid: Option<u32>) -> Result<(), LoadError> {
    match pid {
        Some(pid) if CpuMeter::of(pid).elapsed().is_none() => Err(LoadError::setup(format!(
            "--server-pid {pid}: there is no such process on this machine, or its processor time cannot be read"
        ))),
        _ => Ok(()),
    }
}

/// The most important times of a distribution, in words.
#[expect(clippy::cast_precision_loss, reason = "microseconds of a run stay far below 2^52")]
pub(super) fn short(times: &Latency) -> String {
    let ms = |us: u64| us as f64 / 1_000.0;
    format!("p50 {:.3}  p99 {:.3}  max {:.3} ms", ms(times.p50), ms(times.p99), ms(times.max))
}

/// A table for people: rows of a name and a value.
pub(super) fn rows<'a>(rows: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let mut table = String::new();
    for (name, value) in rows {
        let _infallible = writeln!(table, "{name:<22} {value}");
    }
    table
}

/// A figure that may be missing.
pub(super) fn maybe<T: std::fmt::Display>(value: Option<T>, unit: &str) -> String {
    value.map_or_else(|| "unknown".to_owned(), |value| format!("{value} {unit}"))
}

/// A value as one line of JSON.
pub(super) fn json_line(value: &impl serde::Serialize) -> Result<String, LoadError> {
    let text = serde_json::to_string(value).map_err(|error| LoadError::setup(format!("cannot write JSON: {error}")))?;
    Ok(text + "\n")
}

/// Ids of sessions, one a line.
pub(super) fn session_ids(file: &PathBuf) -> Result<Vec<String>, LoadError> {
    let text = fs::read_to_string(file).map_err(LoadError::io(format!("read {}", file.display())))?;
    let ids: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    let fits = |id: &String| id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte));
    match ids.iter().find(|id| !fits(id)) {
        Some(wrong) => Err(LoadError::setup(format!("{} has {wrong:?}, which is no session id", file.display()))),
        None if ids.is_empty() => Err(LoadError::setup(format!("{} has no session id", file.display()))),
        None => Ok(ids),
    }
}

/// What no other run has in its idempotency keys and names: random, 16 hexadecimal digits.
pub(super) fn run_name() -> String {
    // The standard library's own source of randomness; nothing here needs a better one.
    format!("{:016x}", RandomState::new().hash_one(std::process::id()))
}
