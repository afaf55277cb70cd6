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

const EVERY: Duration = Duration::from_secs(3);
const TIMES: u32 = 10;
const PAUSE: Duration = Duration::from_secs(5);
const READY_TIMEOUT: Duration = Duration::from_secs(30);

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

/// The faults. What has a default is optional here, so that a flag without anybody to drive can be refused.
#[derive(Debug, Args)]
pub(super) struct Faults {
    /// What happens to the process; `kill` when it is not said.
    #[arg(long, value_enum)]
    signal: Option<SignalName>,
    /// The time from being ready to the next fault; 3s when it is not said.
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    every: Option<Duration>,
    /// How many faults; 10 when it is not said.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    times: Option<u32>,
    /// How long a stopped process stays so; 5s when it is not said.
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    pause: Option<Duration>,
    /// Answers 2xx when the service is ready, such as <http://127.0.0.1:8080/readyz>.
    #[arg(long, value_name = "URL", value_parser = ReadyUrl::parse)]
    ready_url: Option<ReadyUrl>,
    /// How long getting ready may take; 30s when it is not said.
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    ready_timeout: Option<Duration>,
    /// Drives this process instead of starting one.
    #[arg(long, value_name = "PID", conflicts_with = "start")]
    pid: Option<u32>,
    /// The program to start and its arguments, after `--`; no shell is involved.
    #[arg(last = true, value_name = "COMMAND")]
    start: Vec<String>,
}

impl Faults {
    /// The plan; `None` when there is nobody to drive.
    ///
    /// # Errors
    /// There is nobody to drive, but a flag says how.
    pub(super) fn plan(&self, default_ready: Option<ReadyUrl>) -> Result<Option<DrivePlan>, LoadError> {
        let subject = match self.pid {
            Some(pid) => Subject::Process(pid),
            None if self.start.is_empty() => return self.must_be_silent().map(|()| None),
            None => Subject::Start(self.start.clone()),
        };
        let fault = match self.signal.unwrap_or(SignalName::Kill) {
            SignalName::Kill => Fault::Kill,
            SignalName::Term => Fault::Term,
            SignalName::Stop => Fault::Stop(self.pause.unwrap_or(PAUSE)),
        };
        Ok(Some(DrivePlan {
            subject,
            fault,
            every: self.every.unwrap_or(EVERY),
            times: self.times.unwrap_or(TIMES),
            ready: self.ready_url.clone().or(default_ready),
            ready_timeout: self.ready_timeout.unwrap_or(READY_TIMEOUT),
        }))
    }

    /// Without anybody to drive no flag may say how: a run without faults must not pass for one with them.
    fn must_be_silent(&self) -> Result<(), LoadError> {
        let given: Vec<&str> = [
            ("--signal", self.signal.is_some()),
            ("--every", self.every.is_some()),
            ("--times", self.times.is_some()),
            ("--pause", self.pause.is_some()),
            ("--ready-url", self.ready_url.is_some()),
            ("--ready-timeout", self.ready_timeout.is_some()),
        ]
        .into_iter()
        .filter_map(|(flag, given)| given.then_some(flag))
        .collect();
        let need = match given.len() {
            0 => return Ok(()),
            1 => "needs",
            _ => "need",
        };
        Err(LoadError::setup(format!(
            "{} {need} a command after -- or --pid, such as -- chat-server serve",
            given.join(" and ")
        )))
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
        let plan = self.faults.plan(None)?.ok_or_else(|| {
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
