//! Faults: ends, stops and restarts one process at intervals, and measures how long its service is unreachable.
//!
//! It signals only a process that it started itself, or a process that was named by its id.

mod process;

use std::time::{Duration, Instant};

use hyper::Method;
use serde::Serialize;
use tokio::time::sleep;

pub use process::DriveSubject;

use self::process::DrivenProcess;
use crate::error::LoadError;
use crate::http::{HttpClient, RequestTemplate, Target, TemplateValues, is_success};

/// How often the service is asked whether it is ready.
const PROBE_EVERY: Duration = Duration::from_millis(20);
/// How long one such response may take.
const PROBE_LIMIT: Duration = Duration::from_secs(2);
/// How long a process may take to end after SIGTERM.
const TERM_LIMIT: Duration = Duration::from_mins(1);

/// What is done to the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessFault {
    /// SIGKILL, then started again.
    Kill,
    /// SIGTERM, waits for the end, then started again.
    Term,
    /// SIGSTOP, and SIGCONT after this time.
    Stop(Duration),
}

impl ProcessFault {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Term => "term",
            Self::Stop(_) => "stop",
        }
    }
}

/// An address that responds with 2xx when the service is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadinessUrl {
    /// The service.
    pub target: Target,
    /// The path, such as `/readyz`.
    pub path: String,
}

impl ReadinessUrl {
    /// Reads `http://host:port/path`.
    ///
    /// # Errors
    /// Text that names what is wrong and an address that would do.
    pub fn parse(url: &str) -> Result<Self, String> {
        let target = Target::parse(url).map_err(|problem| format!("{problem}/readyz"))?;
        let path = if target.prefix.is_empty() { "/".to_owned() } else { target.prefix.clone() };
        Ok(Self { target: Target { prefix: String::new(), ..target }, path })
    }
}

/// What to do, how often.
#[derive(Clone, Debug)]
pub struct DrivePlan {
    /// The process.
    pub subject: DriveSubject,
    /// What is done to it.
    pub fault: ProcessFault,
    /// The time from being ready to the next fault.
    pub every: Duration,
    /// How many faults.
    pub times: u32,
    /// Where the service shows that it is ready; without, a process is ready when it has been started.
    pub ready: Option<ReadinessUrl>,
    /// How long getting ready may take.
    pub ready_timeout: Duration,
}

/// One fault and its end.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FaultRound {
    /// Counted from 1.
    pub round: u32,
    /// `kill`, `term` or `stop`.
    pub fault: &'static str,
    /// From the signal until the service was ready again, in milliseconds.
    pub down_ms: u64,
}

/// Drives one process. When it is dropped, a process that it started is killed.
#[derive(Debug)]
pub struct Driver {
    plan: DrivePlan,
    process: DrivenProcess,
}

impl Driver {
    /// Starts the process, if it is to be started, and waits until it is ready.
    ///
    /// # Errors
    /// The plan cannot work, the process cannot be started, or it is not ready in time.
    pub async fn start(plan: DrivePlan) -> Result<Self, LoadError> {
        // First: that a named process is not there matters more than what could be done with it.
        let process = DrivenProcess::start(&plan.subject)?;
        let restarts = plan.times > 1 && !matches!(plan.fault, ProcessFault::Stop(_));
        if restarts && matches!(plan.subject, DriveSubject::Process(_)) {
            return Err(LoadError::setup(
                "a process given by --pid cannot be started again: use --times 1, --signal stop, or a command after --",
            ));
        }
        let mut driver = Self { plan, process };
        driver.until_ready().await?;
        Ok(driver)
    }

    /// The process id at the moment.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Does all rounds; `on_round` gets each as it ends.
    ///
    /// # Errors
    /// The process cannot be signalled or started, is not ready in time, or ended without a signal between two rounds.
    pub async fn run(&mut self, mut on_round: impl FnMut(&FaultRound)) -> Result<Vec<FaultRound>, LoadError> {
        let mut rounds = Vec::new();
        for round in 1..=self.plan.times {
            sleep(self.plan.every).await;
            let down = self.fault().await?;
            let round = FaultRound {
                round,
                fault: self.plan.fault.name(),
                down_ms: u64::try_from(down.as_millis()).unwrap_or(u64::MAX),
            };
            on_round(&round);
            rounds.push(round);
        }
        Ok(rounds)
    }

    /// Ends a process that was started here: SIGTERM, and SIGKILL when that takes too long. Leaves any other alone.
    ///
    /// # Errors
    /// The process cannot be signalled.
    pub async fn end(mut self) -> Result<(), LoadError> {
        self.process.end(TERM_LIMIT).await
    }

    async fn fault(&mut self) -> Result<Duration, LoadError> {
        self.process.must_run()?;
        let begun = Instant::now();
        match self.plan.fault {
            ProcessFault::Stop(pause) => {
                self.process.stop()?;
                sleep(pause).await;
                self.process.go_on()?;
            }
            ProcessFault::Kill => self.process.kill_and_restart(&self.plan.subject).await?,
            ProcessFault::Term => self.process.term_and_restart(&self.plan.subject, TERM_LIMIT).await?,
        }
        self.until_ready().await?;
        Ok(begun.elapsed())
    }

    async fn until_ready(&mut self) -> Result<(), LoadError> {
        let Some(ready) = self.plan.ready.clone() else { return Ok(()) };
        let probe = RequestTemplate::json(Method::GET, &ready.target, &ready.path, "", "");
        let deadline = Instant::now() + self.plan.ready_timeout;
        let mut client = HttpClient::new(ready.target.clone(), PROBE_LIMIT);
        loop {
            let response = client.send(probe.render(&TemplateValues::default())?).await;
            if response.is_ok_and(|response| is_success(response.status().as_u16())) {
                return Ok(());
            }
            self.process.must_run()?;
            if Instant::now() >= deadline {
                let (url, limit) =
                    (format!("http://{}{}", ready.target.authority, ready.path), self.plan.ready_timeout);
                return Err(LoadError::setup(format!("{url} was not ready within {limit:?}")));
            }
            sleep(PROBE_EVERY).await;
        }
    }
}
