//! `chat-loadgen drive`, and its flags for `check`.

use std::io::{self, Write};
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::common::json_line;
use super::{Verdict, print};
use crate::drive::{DrivePlan, Driver, Fault, ReadyUrl, Round, Subject};
use crate::error::LoadError;
use crate::setup::block_on;
use crate::units;

/// What happens to the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SignalName {
    /// Killed and started again.
    Kill,
    /// Told to end (SIGTERM), and started again.
    Term,
    /// Stopped, and continued after --pause.
    Stop,
}

/// The faults.
#[derive(Debug, Args)]
pub(super) struct Faults {
    /// What happens to the process.
    #[arg(long, value_enum, default_value = "kill")]
    signal: SignalName,
    /// The time from being ready to the next fault.
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = units::duration)]
    every: Duration,
    /// How many faults.
    #[arg(long, value_name = "NUMBER", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    times: u32,
    /// How long a stopped process stays so.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = units::duration)]
    pause: Duration,
    /// Answers 2xx when the service is ready, such as <http://127.0.0.1:8080/readyz>.
    #[arg(long, value_name = "URL", value_parser = ReadyUrl::parse)]
    ready_url: Option<ReadyUrl>,
    /// How long getting ready may take.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = units::duration)]
    ready_timeout: Duration,
    /// Drives this process instead of starting one.
    #[arg(long, value_name = "PID", conflicts_with = "start")]
    pid: Option<u32>,
    /// The program to start and its arguments, after `--`; no shell is involved.
    #[arg(last = true, value_name = "COMMAND")]
    start: Vec<String>,
}

impl Faults {
    /// The plan; `None` when there is nobody to drive.
    pub(super) fn plan(&self, default_ready: Option<ReadyUrl>) -> Option<DrivePlan> {
        let subject = match self.pid {
            Some(pid) => Subject::Process(pid),
            None if self.start.is_empty() => return None,
            None => Subject::Start(self.start.clone()),
        };
        let fault = match self.signal {
            SignalName::Kill => Fault::Kill,
            SignalName::Term => Fault::Term,
            SignalName::Stop => Fault::Stop(self.pause),
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
    faults: Faults,
    /// Print each round as a line of JSON.
    #[arg(long)]
    json: bool,
}

impl Drive {
    pub(super) fn run(&self) -> Result<Verdict, LoadError> {
        let plan = self.faults.plan(None).ok_or_else(|| {
            LoadError::setup(
                "there is nobody to drive: give --pid, or a command after --, such as -- chat-server serve",
            )
        })?;
        let rounds = block_on(async {
            let mut driver = Driver::start(plan).await?;
            let rounds = driver.run(tell).await;
            driver.end().await?;
            rounds
        })?;
        for round in &rounds {
            print(&if self.json { json_line(round)? } else { line(round) })?;
        }
        Ok(Verdict::Good)
    }
}

/// Shows a round while the others are still to come.
pub(super) fn tell(round: &Round) {
    // Nobody is there to be told that nobody is there.
    let _closed = io::stderr().write_all(line(round).as_bytes());
}

fn line(round: &Round) -> String {
    format!("round {}: {}, ready again after {} ms\n", round.round, round.fault, round.down_ms)
}
