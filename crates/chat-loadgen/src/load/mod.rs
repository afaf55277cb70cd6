//! Load: many connections that send one kind of request, in a closed or an open loop.
//!
//! In a closed loop a connection sends its next request when it has the response to the last one, so a slow service
//! gets fewer. In an open loop requests are due on a fixed schedule, whatever the service does; their latency counts
//! from when they were due.

mod report;
mod schedule;
mod worker;

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::{interval_at, sleep_until};

pub use self::report::LoadReport;
pub use self::schedule::Schedule;
use self::schedule::Turns;
use self::worker::{LoadState, Worker};
use crate::error::LoadError;
use crate::http::{RequestTemplate, Target};
use crate::measure::{CpuMeter, Recorder};

/// When a load ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopAfter {
    /// After this time, the warm-up excluded.
    Time(Duration),
    /// After this many requests, the warm-up excluded.
    Requests(u64),
}

/// What is sent. Connections go through the sessions in turn, each beginning at another session.
#[derive(Clone, Debug)]
pub struct LoadRequests {
    /// One template for each person, of whom a session has the one at its place modulo their number.
    pub templates: Vec<RequestTemplate>,
    /// For `{session}`; one empty text when no template names a session.
    pub sessions: Vec<String>,
    /// For `{before}`, a message of the session at the same place; may be empty when no template names one.
    pub before: Vec<String>,
    /// `{page}` goes from 1 to this.
    pub pages: u64,
}

/// A run of load.
#[derive(Clone, Debug)]
pub struct LoadPlan {
    /// The subcommand, for the report.
    pub command: &'static str,
    /// The service.
    pub target: Target,
    /// What is sent.
    pub requests: LoadRequests,
    /// Connections at the same time.
    pub connections: usize,
    /// Threads that serve them.
    pub threads: usize,
    /// Not measured, at the start.
    pub warmup: Duration,
    /// The end.
    pub stop: StopAfter,
    /// Requests per second of an open loop; `None` for a closed one.
    pub rate: Option<f64>,
    /// How long a response may take.
    pub timeout: Duration,
    /// The service's process, when it is on this machine and its processor time is wanted.
    pub server: Option<u32>,
}

/// Sends the load and returns its figures. Blocks until the end of the run; `each_second` gets a line about the last
/// one.
///
/// # Errors
/// The runtime cannot be made, or a request. Requests that fail are figures.
pub fn run(plan: LoadPlan, each_second: impl FnMut(Duration, String)) -> Result<LoadReport, LoadError> {
    let mut builder = if plan.threads > 1 { Builder::new_multi_thread() } else { Builder::new_current_thread() };
    let builder = builder.worker_threads(plan.threads).enable_all();
    builder.build().map_err(LoadError::io("make a runtime"))?.block_on(run_to_end(plan, each_second))
}

async fn run_to_end(plan: LoadPlan, mut each_second: impl FnMut(Duration, String)) -> Result<LoadReport, LoadError> {
    let turns = plan.rate.map(|rate| Turns::new(Schedule::new(rate)));
    let load = Arc::new(LoadState::new(plan, turns)?);
    let plan = &load.plan;
    let mut tasks = JoinSet::new();
    if load.turns.is_some() {
        tasks.spawn(Arc::clone(&load).pace());
    }
    for number in 0..plan.connections {
        tasks.spawn(Worker::new(Arc::clone(&load), number).run());
    }
    let meters = || (CpuMeter::own(), plan.server.map(CpuMeter::of));
    let mut cpu = meters();
    let started = tokio::time::Instant::from_std(load.started);
    let (mut warm_up, mut is_warm) = (pin!(sleep_until(started + plan.warmup)), false);
    let mut seconds = interval_at(started + Duration::from_secs(1), Duration::from_secs(1));
    let (mut last, mut running) = (load.started, plan.connections);
    while running > 0 {
        tokio::select! {
            biased;
            () = &mut warm_up, if !is_warm => (is_warm, cpu) = (true, meters()),
            _ = seconds.tick() => {
                each_second(load.started.elapsed(), lock(&load.recorder).progress(last.elapsed()));
                last = Instant::now();
            }
            Some(ended) = tasks.join_next() => {
                let broken = |error| LoadError::setup(format!("a part of the load broke: {error}"));
                running -= usize::from(ended.map_err(broken)??);
            }
        }
    }
    let measured = load.started.elapsed().saturating_sub(plan.warmup);
    let elapsed = if let StopAfter::Time(time) = plan.stop { time } else { measured };
    let server_cpu = cpu.1.and_then(|meter| meter.elapsed());
    let recorder = lock(&load.recorder);
    Ok(LoadReport::new(plan, elapsed, load.scheduled(), &recorder.total, (cpu.0.elapsed(), server_cpu)))
}

fn lock(recorder: &Mutex<Recorder>) -> std::sync::MutexGuard<'_, Recorder> {
    recorder.lock().unwrap_or_else(PoisonError::into_inner)
}
