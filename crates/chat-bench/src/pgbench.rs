//! PostgreSQL's own `pgbench`: how fast the database does the same SQL without the service.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use test_servers::postgres::PrivatePostgres;

use super::process::command;

/// A script to run over and over, with prepared statements.
pub(super) struct Script<'a> {
    pub(super) server: &'a PrivatePostgres,
    pub(super) database: &'a str,
    /// Where the script's text is.
    pub(super) file: PathBuf,
    /// How many sessions it chooses from: `:sessions` in the text.
    pub(super) sessions: usize,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Speed {
    pub(super) per_second: f64,
    /// Of whole transactions.
    pub(super) mean_ms: f64,
}

impl<'a> Script<'a> {
    pub(super) fn new(
        server: &'a PrivatePostgres,
        database: &'a str,
        file: PathBuf,
        text: &str,
        sessions: usize,
    ) -> anyhow::Result<Self> {
        fs::write(&file, text).with_context(|| format!("{} cannot be written", file.display()))?;
        Ok(Self { server, database, file, sessions })
    }

    /// Runs it over that many connections, served by two threads at most. A transaction that fails makes it fail.
    pub(super) fn run(&self, clients: usize, length: Duration) -> anyhow::Result<Speed> {
        finish(self.command(clients, length).arg(format!("--jobs={}", clients.min(2))))
    }

    /// Begins so many transactions a second, whatever becomes of those before, and times each from the moment in which it
    /// was due. `scratch` is a directory for the times.
    pub(super) fn run_at_rate(
        &self,
        per_second: &str,
        clients: usize,
        length: Duration,
        scratch: &Path,
    ) -> anyhow::Result<Times> {
        let directory = tempfile::Builder::new().prefix("pgbench-").tempdir_in(scratch)?;
        let mut pgbench = self.command(clients, length);
        pgbench.args(["--jobs=1", "--log"]).arg(format!("--rate={per_second}"));
        pgbench.arg(format!("--log-prefix={}", directory.path().join("times").display()));
        finish(&mut pgbench)?;
        let mut times = Vec::new();
        for file in fs::read_dir(directory.path())? {
            times.extend(logged(&fs::read_to_string(file?.path())?)?);
        }
        Times::of(times).context("pgbench has logged no transaction")
    }

    fn command(&self, clients: usize, length: Duration) -> Command {
        let mut pgbench = command(&self.server.programs().join("pgbench"));
        pgbench.args(["--host=127.0.0.1", "--username=postgres", "--no-vacuum", "--protocol=prepared"]);
        pgbench.arg(format!("--port={}", self.server.port()));
        pgbench.arg(format!("--client={clients}"));
        pgbench.arg(format!("--time={}", length.as_secs().max(1))).arg(format!("--define=sessions={}", self.sessions));
        pgbench.arg("--file").arg(&self.file).arg(self.database).env("LC_ALL", "C");
        pgbench
    }
}

/// How long single transactions took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Times {
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

impl Times {
    /// Of microseconds; `None` when there are none.
    fn of(mut times: Vec<u32>) -> Option<Self> {
        times.sort_unstable();
        let at = |percent: usize| times.get(times.len().saturating_sub(1) * percent / 100).copied();
        Some(Self { p50_ms: f64::from(at(50)?) / 1_000.0, p99_ms: f64::from(at(99)?) / 1_000.0 })
    }
}

/// The times in a log of pgbench, the third word of each line, in microseconds
/// (<https://www.postgresql.org/docs/current/pgbench.html>, "Per-Transaction Logging").
fn logged(text: &str) -> anyhow::Result<Vec<u32>> {
    let time = |line: &str| line.split_whitespace().nth(2).and_then(|word| word.parse().ok());
    text.lines().map(|line| time(line).with_context(|| format!("no time in pgbench's log line {line:?}"))).collect()
}

/// Waits for its end. A transaction that fails makes it fail.
fn finish(pgbench: &mut Command) -> anyhow::Result<Speed> {
    let done = pgbench.output()?;
    let (said, complained) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    ensure!(done.status.success(), "pgbench failed: {said}{complained}");
    read(&said).with_context(|| format!("from pgbench: {said}{complained}"))
}

/// Finds the figures in what pgbench prints.
fn read(text: &str) -> anyhow::Result<Speed> {
    let number = |label: &str| {
        let rest = text.lines().find_map(|line| line.strip_prefix(label)).with_context(|| format!("no {label:?}"))?;
        let word = rest.split_whitespace().next().unwrap_or_default();
        word.parse::<f64>().with_context(|| format!("{label:?} is followed by {word:?}"))
    };
    let failed = number("number of failed transactions:")?;
    ensure!(failed == 0.0, "{failed} transactions failed");
    Ok(Speed { per_second: number("tps =")?, mean_ms: number("latency average =")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "transaction type: four.sql\nnumber of clients: 8\n\
        number of transactions actually processed: 6174\nnumber of failed transactions: 0 (0.000%)\n\
        latency average = 2.591 ms\ninitial connection time = 13.052 ms\n\
        tps = 3087.123456 (without initial connection time)\n";

    #[test]
    fn figures_are_found_in_what_pgbench_prints() {
        assert_eq!(read(OUTPUT).unwrap(), Speed { per_second: 3_087.123_456, mean_ms: 2.591 });
    }

    #[test]
    fn times_are_read_from_the_log_in_any_order() {
        let lines: Vec<_> = (1..=101).rev().map(|n| format!("0 7 {} 0 1700000000 123456 5", n * 1_000)).collect();
        assert_eq!(Times::of(logged(&lines.join("\n")).unwrap()), Some(Times { p50_ms: 51.0, p99_ms: 100.0 }));
        assert_eq!(Times::of(Vec::new()), None);
        assert!(logged("0 7 skipped 0 1700000000 123456").is_err());
    }

    #[test]
    fn a_run_with_failed_transactions_has_no_figures() {
        let failed = OUTPUT.replace("transactions: 0", "transactions: 3");
        assert!(read(&failed).unwrap_err().to_string().contains("3 transactions failed"));
        assert!(read("tps").is_err());
    }
}
