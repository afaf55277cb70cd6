//! `chat-loadgen check`

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::drive::{FaultOptions, note_round};
use super::options::{TokenOptions, read_file, run_name};
use super::{RunVerdict, block_on};
use crate::check::{CheckOptions, CheckPlan, CheckRun, run};
use crate::drive::{Driver, FaultRound, ReadinessUrl};
use crate::error::LoadError;
use crate::history::{self, History, HistorySize, HistoryViolation};
use crate::measure::{LatencySummary, close_reasons, print_report};
use crate::units;

/// Check that nothing is lost, doubled or reordered, also under faults
#[derive(Debug, Args)]
pub(super) struct Check {
    /// Checks a saved history instead of making one.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    #[command(flatten)]
    options: CheckOptions,
    #[command(flatten)]
    tokens: TokenOptions,
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
    faults: FaultOptions,
}

/// The verdict.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CheckReport<'a> {
    command: &'static str,
    good: bool,
    #[serde(flatten)]
    size: HistorySize,
    rounds: &'a [FaultRound],
    /// Of readers' sockets and handshakes.
    close_reasons: BTreeMap<String, u64>,
    delivery_us: &'a Option<LatencySummary>,
    violation_count: usize,
    /// The first ones, in words.
    violations: Vec<String>,
}

impl Check {
    pub(super) fn run(&self) -> Result<RunVerdict, LoadError> {
        let found = match &self.from {
            Some(file) => read(file)?,
            None => self.check()?,
        };
        if let Some(file) = &self.history {
            save(&found.history, file)?;
        }
        let size = found.history.size();
        if self.from.is_none() && size.acknowledged == 0 {
            return Err(LoadError::setup("no message was acknowledged, so the run proves nothing"));
        }
        let good = found.violations.is_empty();
        let report = CheckReport {
            command: "check",
            good,
            size,
            rounds: &found.rounds,
            close_reasons: close_reasons(&found.closed),
            delivery_us: &found.delivery,
            violation_count: found.violations.len(),
            violations: found.violations.iter().take(self.show).map(HistoryViolation::to_string).collect(),
        };
        print_report(&report, self.json)?;
        Ok(RunVerdict(good))
    }

    fn check(&self) -> Result<CheckRun, LoadError> {
        let plan = CheckPlan { options: self.options.clone(), tokens: self.tokens.tokens()?, run_name: run_name() };
        let ready = ReadinessUrl { target: self.options.url.clone(), path: "/readyz".to_owned() };
        let faults = self.faults.plan(Some(ready));
        block_on(async {
            let mut driver = match faults {
                Some(plan) => Some(Driver::start(plan).await?),
                None => None,
            };
            let found = run(plan, driver.as_mut(), note_round).await;
            if let Some(driver) = driver {
                driver.end().await?;
            }
            found
        })
    }
}

fn read(file: &Path) -> Result<CheckRun, LoadError> {
    let history = history::from_lines(&read_file(file)?)
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
