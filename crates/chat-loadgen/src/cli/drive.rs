//! `chat-loadgen drive`, and its options for `check`.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{RunVerdict, note};
use crate::drive::{DrivePlan, DriveSubject, Driver, FaultRound, ProcessFault, ReadinessUrl};
use crate::error::LoadError;
use crate::measure::print_report;
use crate::units;

/// What happens to the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FaultSignal {
    /// Killed and started again.
    Kill,
    /// Ended by SIGTERM, and started again.
    Term,
    /// Stopped, and continued after --pause.
    Stop,
}

/// The faults. Every option requires a process to drive: a run without faults must not pass for one with them.
#[derive(Debug, Args)]
pub(super) struct FaultOptions {
    /// What happens to the process.
    #[arg(long, value_enum, default_value = "kill", requires = "subject")]
    signal: FaultSignal,
    /// The time from being ready to the next fault.
    #[arg(long, value_name = "TIME", default_value = "3s", requires = "subject", value_parser = units::duration)]
    every: Duration,
    /// How many faults.
    #[arg(long, value_name = "NUMBER", default_value = "10", requires = "subject",
          value_parser = clap::value_parser!(u32).range(1..))]
    times: u32,
    /// How long a stopped process stays so.
    #[arg(long, value_name = "TIME", default_value = "5s", requires = "subject", value_parser = units::duration)]
    pause: Duration,
    /// Responds with 2xx when the service is ready, such as <http://127.0.0.1:8080/readyz>.
    #[arg(long, value_name = "URL", requires = "subject", value_parser = ReadinessUrl::parse)]
    ready_url: Option<ReadinessUrl>,
    /// How long getting ready may take.
    #[arg(long, value_name = "TIME", default_value = "30s", requires = "subject", value_parser = units::duration)]
    ready_timeout: Duration,
    /// Drives this process instead of starting one.
    #[arg(long, value_name = "PID", group = "subject")]
    pid: Option<u32>,
    /// The program to start and its arguments, after `--`; no shell is involved.
    #[arg(last = true, value_name = "COMMAND", group = "subject")]
    start: Vec<String>,
}

impl FaultOptions {
    /// The plan; `None` when there is no process to drive.
    pub(super) fn plan(&self, default_ready: Option<ReadinessUrl>) -> Option<DrivePlan> {
        let subject = match self.pid {
            Some(pid) => DriveSubject::Process(pid),
            None if self.start.is_empty() => return None,
            None => DriveSubject::Start(self.start.clone()),
        };
        let fault = match self.signal {
            FaultSignal::Kill => ProcessFault::Kill,
            FaultSignal::Term => ProcessFault::Term,
            FaultSignal::Stop => ProcessFault::Stop(self.pause),
        };
        Some(DrivePlan {
            subject,
            fault,
            every: self.every,
            times: self.times,
            ready: self.ready_url.clone().or(default_ready),
            ready_timeout: self.ready_timeout,
        })
    }
}

/// Kill, end or stop a process at intervals and start it again
#[derive(Debug, Args)]
pub(super) struct Drive {
    #[command(flatten)]
    faults: FaultOptions,
    /// Print each round as a line of JSON.
    #[arg(long)]
    json: bool,
}

impl Drive {
    pub(super) async fn run(&self) -> Result<RunVerdict, LoadError> {
        let plan = self.faults.plan(None).ok_or_else(|| {
            LoadError::setup(
                "there is no process to drive: give --pid, or a command after --, such as -- chat-server serve",
            )
        })?;
        let mut driver = Driver::start(plan).await?;
        let rounds = driver.run(note_round).await;
        driver.end().await?;
        for round in &rounds? {
            print_report(round, self.json)?;
        }
        Ok(RunVerdict(true))
    }
}

/// Shows a round while the others are still to come.
pub(super) fn note_round(round: &FaultRound) {
    note(&format!("round {}: {}, ready again after {} ms", round.round, round.fault, round.down_ms));
}
