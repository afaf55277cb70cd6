//! The figures of `docs/benchmarks.md`, each beside what it is compared with, in the same run. `cargo xtask bench` builds and
//! installs what they need, and runs them.
//!
//! One file a part; each measures in rounds, in which what is compared takes turns. Shared by the parts: the programs under
//! measurement (`chat`, `hello`, `postgres`), the load on them (`load`, `pgbench`, `wrk`), and what came of it (`figures`).
#![expect(clippy::print_stdout, reason = "a developer's tool reports on standard output")]

mod access;
mod chat;
mod figures;
mod files;
mod fill;
mod generators;
mod growth;
mod hello;
mod http;
mod inbox;
mod load;
mod memory;
mod pgbench;
mod postgres;
mod process;
mod programs;
mod reads;
mod report;
mod sample;
mod scratch;
mod sockets;
mod sqlite_writes;
mod writes;
mod wrk;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::ValueEnum;

use self::figures::Figures;
use self::fill::Size;
use self::report::Report;
use self::scratch::Scratch;

/// What is measured, how often and for how long.
#[derive(clap::Args)]
pub struct Benchmarks {
    /// Only this part; may be given several times.
    #[arg(long, value_enum, value_name = "PART")]
    only: Vec<Part>,
    /// How often everything is measured; the median counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How long each measurement of a round takes, in seconds. Those of `growth` and `inbox`, which are many, take 2 at most.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Also writes the figures as JSON, again after each part.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The databases of `growth`: numbers of messages, multiples of 1,000. The first and the last are compared.
    #[arg(long, value_delimiter = ',', value_name = "NUMBERS", value_parser = Size::parse)]
    #[arg(default_value = "10000,1000000,10000000")]
    sizes: Vec<Size>,
}

/// What can be measured on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// What the load generator costs, beside wrk.
    Generators,
    /// Resident memory and the time to start, idle, on both databases.
    Memory,
    /// Durable messages on PostgreSQL, beside pgbench with a transaction each.
    Writes,
    /// Durable messages on SQLite, beside a loop with a transaction each.
    SqliteWrites,
    /// Pages of messages on PostgreSQL, beside pgbench with their SQL and beside actix-web with a fixed answer.
    Reads,
    /// What each request costs as the database grows.
    Growth,
    /// Views of the inbox as the database grows, on both databases, and a snapshot of a hundred sessions.
    Inbox,
    /// Sockets, beside a bare actix-ws server: memory, connects, frames per second, time from sending to receiving.
    Sockets,
    /// Two servers with Redis: time from sending to receiving on the other one, and what Redis's absence costs.
    Nodes,
    /// Attachments on the disk and on S3, beside nginx: transfers, memory, thumbnails, download tickets, moving.
    Files,
    /// Access that begins and ends: the first token of a new signing key, and a sign-out on two nodes.
    Access,
}

/// What the parts share.
struct BenchRun {
    rounds: u32,
    length: Duration,
    scratch: Scratch,
    sizes: Vec<Size>,
}

impl BenchRun {
    /// A path for the files of a part.
    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// Counts the rounds of a part, and says so.
    fn rounds(&self, what: &'static str) -> impl Iterator<Item = u32> + use<> {
        let rounds = self.rounds;
        (1..=rounds).inspect(move |round| println!("  {what}, round {round} of {rounds}"))
    }
}

impl Part {
    fn measure(self, run: &BenchRun) -> anyhow::Result<Figures> {
        match self {
            Self::Generators => generators::measure(run),
            Self::Memory => memory::measure(run),
            Self::Writes => writes::measure(run),
            Self::SqliteWrites => sqlite_writes::measure(run),
            Self::Reads => reads::measure(run),
            Self::Growth => growth::measure(run),
            Self::Inbox => inbox::measure(run),
            Self::Sockets => sockets::measure(run),
            Self::Nodes => sockets::measure_nodes(run),
            Self::Files => files::measure(run),
            Self::Access => access::measure(run),
        }
    }

    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

impl Benchmarks {
    /// The parts that are to be measured.
    pub fn parts(&self) -> Vec<Part> {
        if self.only.is_empty() { Part::value_variants().to_vec() } else { self.only.clone() }
    }

    /// Finds out before the long build whether the figures can be measured and kept here.
    ///
    /// # Errors
    /// They cannot.
    pub fn check(&self) -> anyhow::Result<()> {
        ensure!(cfg!(target_os = "linux"), "the benchmarks read /proc: they run on Linux only");
        self.json.as_deref().map_or(Ok(()), can_be_written)
    }

    /// Measures the programs of the release build.
    ///
    /// # Errors
    /// A program is missing or fails.
    pub fn run(self) -> anyhow::Result<()> {
        let parts = self.parts();
        let scratch = Scratch::new()?;
        let run =
            BenchRun { rounds: self.rounds, length: Duration::from_secs(self.seconds), scratch, sizes: self.sizes };
        let mut report = Report::new(self.rounds, self.seconds);
        for (index, part) in parts.iter().enumerate() {
            println!("[bench {}/{}] {}", index + 1, parts.len(), part.name());
            let started = Instant::now();
            let figures = part.measure(&run).with_context(|| format!("while measuring {}", part.name()))?;
            println!("[bench {}/{}] done in {:.0} s", index + 1, parts.len(), started.elapsed().as_secs_f64());
            report.add(part.name(), figures);
            if let Some(file) = &self.json {
                report.save(file)?;
            }
        }
        println!("\n{}", report.tables());
        Ok(())
    }
}

/// Finds out before the hours and not after them.
fn can_be_written(file: &Path) -> anyhow::Result<()> {
    std::fs::write(file, "{}\n").with_context(|| format!("{} cannot be written", file.display()))
}
