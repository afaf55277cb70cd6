//! `chat-loadgen check`

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::common::{Identity, json_line, run_name, short};
use super::drive::{Faults, tell};
use super::{Verdict, print};
use crate::check::{CheckPlan, CheckRun, run};
use crate::drive::{Driver, ReadyUrl, Round};
use crate::error::LoadError;
use crate::history::{self, History, Size, Violation};
use crate::http::Target;
use crate::measure::{Latency, listed};
use crate::net::Targets;
use crate::setup::block_on;
use crate::socket::Mode;
use crate::units;

/// Check that nothing is lost, doubled or reordered, also under faults
#[derive(Debug, Args)]
pub(super) struct Check {
    /// Checks a saved history instead of making one.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// The service's base URL.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080", value_parser = Target::parse)]
    url: Target,
    /// A node of the service that readers have sockets at, instead of --url; may be given several times.
    #[arg(long, value_name = "URL", value_parser = Target::parse)]
    read_url: Vec<Target>,
    /// A node of the service that writers send to, instead of --url; may be given several times.
    #[arg(long, value_name = "URL", value_parser = Target::parse)]
    write_url: Vec<Target>,
    /// The readers' protocol.
    #[arg(long, value_enum, default_value = "base")]
    mode: Mode,
    #[command(flatten)]
    identity: Identity,
    /// Sessions to open.
    #[arg(long, value_name = "NUMBER", default_value = "8", value_parser = units::count)]
    sessions: usize,
    /// Writers, spread over the sessions; the customer and the agent of a session in turn.
    #[arg(long, value_name = "NUMBER", default_value = "16", value_parser = units::count)]
    writers: usize,
    /// Readers of each session: the customer, the agent, and admins.
    #[arg(long, value_name = "NUMBER", default_value = "3", value_parser = units::count)]
    readers: usize,
    /// How long writers begin new messages. With faults, at least until the last one is over.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = units::duration)]
    duration: Duration,
    /// How long a request may take before it is retried.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = units::duration)]
    timeout: Duration,
    /// How long, in the end, undecided messages are retried, and readers wait for the next event on their way to the last
    /// one; a reader that is slow but gets on is waited for.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = units::duration)]
    settle: Duration,
    /// Every so many-th message is sent again after its answer, with the same key.
    #[arg(long, value_name = "NUMBER", default_value = "10", value_parser = units::requests)]
    repeat_every: u64,
    /// Characters of a message, at least.
    #[arg(long, value_name = "NUMBER", default_value = "100", value_parser = units::length)]
    length: usize,
    /// Writes the history to this file, one JSON record a line.
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// Print the verdict as one JSON object.
    #[arg(long)]
    json: bool,
    /// How many violations are printed.
    #[arg(long, value_name = "NUMBER", default_value = "20", value_parser = units::count)]
    show: usize,
    #[command(flatten)]
    faults: Faults,
}

/// The documented JSON object.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VerdictReport<'a> {
    command: &'static str,
    good: bool,
    #[serde(flatten)]
    size: Size,
    rounds: &'a [Round],
    /// Of readers' sockets and handshakes.
    ends: BTreeMap<String, u64>,
    delivery_us: Option<Latency>,
    violation_count: usize,
    /// The first ones, in words.
    violations: Vec<String>,
}

impl Check {
    pub(super) fn run(&self) -> Result<Verdict, LoadError> {
        let found = match &self.from {
            Some(file) => from_file(file)?,
            None => self.make()?,
        };
        if let Some(file) = &self.history {
            save(&found.history, file)?;
        }
        if self.from.is_none() && found.history.size().acknowledged == 0 {
            return Err(LoadError::setup("no message was acknowledged, so the run proves nothing"));
        }
        print(&self.shown(&found)?)?;
        Ok(if found.violations.is_empty() { Verdict::Good } else { Verdict::Bad })
    }

    fn make(&self) -> Result<CheckRun, LoadError> {
        let plan = CheckPlan {
            target: self.url.clone(),
            write_to: self.nodes(&self.write_url),
            read_from: self.nodes(&self.read_url),
            mode: self.mode,
            tokens: self.identity.tokens()?,
            sessions: self.sessions,
            writers: self.writers,
            readers: self.readers,
            duration: self.duration,
            timeout: self.timeout,
            settle: self.settle,
            repeat_every: self.repeat_every,
            length: self.length,
            name: run_name(),
        };
        let ready = ReadyUrl { target: self.url.clone(), path: "/readyz".to_owned() };
        let faults = self.faults.plan(Some(ready))?;
        block_on(async {
            let mut driver = match faults {
                Some(plan) => Some(Driver::start(plan).await?),
                None => None,
            };
            let found = run(&plan, driver.as_mut(), tell).await;
            if let Some(driver) = driver {
                driver.end().await?;
            }
            found
        })
    }

    fn nodes(&self, urls: &[Target]) -> Targets {
        if urls.is_empty() { self.url.clone().into() } else { Targets::new(urls.to_vec()) }
    }

    fn shown(&self, found: &CheckRun) -> Result<String, LoadError> {
        let size = found.history.size();
        let violations: Vec<String> = found.violations.iter().take(self.show).map(Violation::to_string).collect();
        let delivery = found.delivery_within(Duration::ZERO..Duration::MAX)?;
        let ends: BTreeMap<String, u64> = found.ends.iter().map(|(end, count)| (end.name(), *count)).collect();
        if self.json {
            return json_line(&VerdictReport {
                command: "check",
                good: found.violations.is_empty(),
                size,
                rounds: &found.rounds,
                ends,
                delivery_us: delivery,
                violation_count: found.violations.len(),
                violations,
            });
        }
        let mut text = format!(
            "{} attempts in {} sessions: {} acknowledged, {} of unknown outcome; {} messages stored; \
             {} events seen on {} connections\n",
            size.attempts,
            size.sessions,
            size.acknowledged,
            size.unknown,
            size.stored,
            size.seen,
            size.reader_connections
        );
        if let Some(delivery) = &delivery {
            let _infallible = writeln!(text, "from sending to receiving: {}", short(delivery));
        }
        if !ends.is_empty() {
            let ends = listed(ends.iter().map(|(end, count)| (end.as_str(), *count)));
            let _infallible = writeln!(text, "ends of sockets: {ends}");
        }
        for violation in &violations {
            let _infallible = writeln!(text, "wrong: {violation}");
        }
        let verdict = match found.violations.len() {
            0 => "good: nothing lost, nothing doubled, one order for all".to_owned(),
            number => format!("bad: {number} violations, {} shown", violations.len()),
        };
        Ok(text + &verdict + "\n")
    }
}

fn from_file(file: &Path) -> Result<CheckRun, LoadError> {
    let text = fs::read_to_string(file).map_err(LoadError::io(format!("read {}", file.display())))?;
    let history = history::from_lines(&text)
        .map_err(|error| LoadError::setup(format!("{} is no saved history: {error}", file.display())))?;
    Ok(CheckRun::of(history))
}

fn save(history: &History, file: &Path) -> Result<(), LoadError> {
    let failed = || LoadError::io(format!("write {}", file.display()));
    let mut out = BufWriter::new(File::create(file).map_err(failed())?);
    for line in history::to_lines(history) {
        let line = line.map_err(|error| LoadError::setup(format!("cannot write JSON: {error}")))?;
        out.write_all(line.as_bytes()).map_err(failed())?;
    }
    out.flush().map_err(failed())
}
