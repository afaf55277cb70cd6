//! `cargo xtask bench`: the figures of `docs/benchmarks.md`, each beside what it is compared with, in the same run.

mod figures;
mod server;
mod wrk;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};

use self::figures::{Figures, median};
use self::server::{Chat, Hello};
use self::wrk::Load;
use crate::step::{Plan, cargo, workspace_root};

/// Measures a release build on this machine. The load generator, `wrk`, runs beside the server and shares its cores.
#[derive(clap::Args)]
pub(crate) struct Bench {
    /// How often everything is measured; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long each measurement of a round takes.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
}

/// How many sessions the messages go to.
const SESSIONS: usize = 64;
const CONNECTIONS: [usize; 3] = [1, 8, 64];

impl Bench {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let found = Command::new("wrk").arg("-v").output();
        ensure!(found.is_ok(), "the load generator wrk is missing; on Debian: apt-get install wrk");
        build()?;
        let scratch = tempfile::tempdir()?;
        let length = Duration::from_secs(self.seconds);
        let mut figures = Figures::default();

        println!("[bench 1/4] start and memory, {} times", self.rounds);
        self.start_and_memory(scratch.path(), &mut figures)?;
        println!("[bench 2/4] durable messages beside a transaction a row, {} rounds", self.rounds);
        let filled = self.writes(scratch.path(), length, &mut figures)?;
        println!("[bench 3/4] reads beside a fixed answer of the same size, {} rounds", self.rounds);
        self.reads(&filled, length, &mut figures)?;
        println!("[bench 4/4] start with the messages of step 2");
        self.start_filled(&filled, &mut figures)?;

        println!("\n{}", figures.table());
        Ok(())
    }

    fn start_and_memory(&self, scratch: &Path, figures: &mut Figures) -> anyhow::Result<()> {
        let (mut starts, mut memory) = (Vec::new(), Vec::new());
        for round in 0..self.rounds {
            let chat = Chat::start(&scratch.join(format!("empty-{round}")))?;
            starts.push(chat.first_answer_after.as_secs_f64() * 1_000.0);
            memory.push(chat.resident_mib()?);
        }
        figures.add("start to first answer, empty data directory", median(starts), "ms");
        figures.add("resident memory, idle", median(memory), "MiB");
        Ok(())
    }

    /// Baseline and server in turn. Answers the data directory of the last round.
    fn writes(&self, scratch: &Path, length: Duration, figures: &mut Figures) -> anyhow::Result<PathBuf> {
        let data = scratch.join("writes");
        let chat = Chat::start(&data)?;
        let sessions = chat.open_sessions(SESSIONS)?;
        let mut baseline = Vec::new();
        let mut rates = CONNECTIONS.map(|_| Vec::new());
        for _ in 0..self.rounds {
            baseline.push(rows_one_by_one(length)?);
            for (connections, rates) in CONNECTIONS.into_iter().zip(&mut rates) {
                let load = Load::sending(&chat, &sessions, connections, length);
                rates.push(load.run(scratch)?.per_second);
            }
        }
        let baseline = median(baseline);
        figures.add("rows per second, a transaction each, plain diesel loop", baseline, "/s");
        for (connections, rates) in CONNECTIONS.into_iter().zip(rates) {
            let rate = median(rates);
            figures.add(format!("durable POST …/messages, {connections} connections"), rate, "/s");
            figures.add(format!("the same ÷ a transaction a row, {connections} connections"), rate / baseline, "");
        }
        Ok(data)
    }

    fn reads(&self, data: &Path, length: Duration, figures: &mut Figures) -> anyhow::Result<()> {
        let chat = Chat::start(data)?;
        let sessions = chat.sessions()?;
        let bytes = chat.page_bytes(sessions.first().context("the data has no session")?)?;
        let hello = Hello::start(bytes)?;
        let (mut reads, mut fixed) = (Vec::new(), Vec::new());
        for _ in 0..self.rounds {
            reads.push(Load::reading(&chat, &sessions, 64, length).run(data)?.per_second);
            fixed.push(Load::of_hello(&hello, 64, length).run(data)?.per_second);
        }
        let (reads, fixed) = (median(reads), median(fixed));
        figures.add(format!("GET …/messages?limit=50 ({bytes} bytes), 64 connections"), reads, "/s");
        figures.add("actix-web with a fixed answer of the same size, 64 connections", fixed, "/s");
        figures.add("the read ÷ the fixed answer", reads / fixed, "");
        Ok(())
    }

    fn start_filled(&self, data: &Path, figures: &mut Figures) -> anyhow::Result<()> {
        let mut starts = Vec::new();
        let mut messages = 0;
        for _ in 0..self.rounds {
            let chat = Chat::start(data)?;
            starts.push(chat.first_answer_after.as_secs_f64() * 1_000.0);
            messages = chat.messages_exchanged()?;
        }
        figures.add(format!("start to first answer, {messages} messages"), median(starts), "ms");
        Ok(())
    }
}

fn build() -> anyhow::Result<()> {
    let mut plan = Plan::new("build");
    plan.add("build the server", cargo(["build", "--release", "--package=chat-server"]));
    plan.add("build the fixed answer", cargo(["build", "--release", "--package=chat-http", "--example=hello"]));
    plan.add(
        "build the loop of single rows",
        cargo(["build", "--release", "--package=chat-sqlite", "--example=one_row_per_transaction"]),
    );
    plan.run()
}

fn release(program: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace_root().join("target"), PathBuf::from);
    target.join("release").join(program)
}

/// The rate of the plain loop, which prints it as the last word of its output before `rows/s`.
fn rows_one_by_one(length: Duration) -> anyhow::Result<f64> {
    let output =
        Command::new(release("examples/one_row_per_transaction")).arg(length.as_secs().to_string()).output()?;
    ensure!(output.status.success(), "the loop of single rows failed: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let before_unit = text.rsplit_once(" rows/s").map_or("", |(before, _)| before);
    let rate = before_unit.split_whitespace().last();
    rate.and_then(|rate| rate.parse().ok()).with_context(|| format!("no rate in: {text}"))
}
