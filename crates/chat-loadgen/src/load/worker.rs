//! A thread of a run: its connections as tasks of one single-threaded runtime.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::LocalSet;

use super::pacer::pace;
use super::{Plan, Schedule, Stop};
use crate::http::{Blanks, Client, Failure};
use crate::measure::{Recorder, Sample};
use crate::monotonic;

/// How long a connection that could not be made is left alone, so that a service that is down is not flooded.
const RECONNECT_PAUSE: Duration = Duration::from_millis(50);

/// What all threads of a run share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) plan: Plan,
    pub(super) started: Instant,
    /// Measured requests that may still be sent, of a run that is limited by number.
    pub(super) left: AtomicI64,
}

impl Shared {
    fn measured_from(&self) -> Instant {
        self.started + self.plan.warmup
    }

    /// When no request is begun any more.
    pub(super) fn end(&self) -> Option<Instant> {
        match self.plan.stop {
            Stop::After(time) => Some(self.measured_from() + time),
            Stop::Requests(_) => None,
        }
    }

    /// Whether a request may begin at `at`, and if so whether it is measured.
    fn admit(&self, at: Instant) -> Option<bool> {
        let measured = at >= self.measured_from();
        match self.end() {
            Some(end) => (at < end).then_some(measured),
            None if !measured => Some(false),
            None => (self.left.fetch_sub(1, Ordering::Relaxed) > 0).then_some(true),
        }
    }
}

/// Runs the connections `first`, `first + threads`, … to the end of the run.
pub(super) fn run(shared: &Arc<Shared>, thread: usize, recorder: &Arc<Mutex<Recorder>>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let plan = &shared.plan;
    let schedule = plan.rate.map(|rate| Schedule::new(rate, thread, plan.threads));
    LocalSet::new().block_on(&runtime, async {
        let turns = schedule.map(|schedule| Rc::new(Turns { schedule, due: Semaphore::new(0), taken: Cell::new(0) }));
        let connections: Vec<_> = (thread..plan.connections)
            .step_by(plan.threads)
            .map(|number| {
                let worker = Worker::new(Arc::clone(shared), Arc::clone(recorder), number);
                tokio::task::spawn_local(worker.run(turns.clone()))
            })
            .collect();
        let pacing = turns.map(|turns| tokio::task::spawn_local(turns.run(Arc::clone(shared))));
        for connection in connections {
            // A connection that panicked has been reported by the runtime.
            let _ended = connection.await;
        }
        if let Some(pacing) = pacing {
            pacing.abort();
            if let Ok(paced) = pacing.await {
                return paced;
            }
        }
        Ok(())
    })
}

/// Whose turn it is in an open loop: requests are handed out in the order in which they are due, to whichever
/// connection is free.
struct Turns {
    schedule: Schedule,
    due: Semaphore,
    taken: Cell<u64>,
}

impl Turns {
    /// Lets the requests of the schedule become due until the end of the run.
    async fn run(self: Rc<Self>, shared: Arc<Shared>) -> io::Result<()> {
        // A run that is limited by number ends with its connections; the schedule has no end of its own.
        let end = shared.end().unwrap_or_else(|| shared.started + Duration::from_hours(24 * 365));
        let paced = pace(self.schedule, shared.started, end, &self.due).await;
        self.due.close();
        paced
    }

    /// When the next request was due, once its time has come; `None` at the end of the schedule.
    async fn next(&self, started: Instant) -> Option<Instant> {
        self.due.acquire().await.ok()?.forget();
        let number = self.taken.replace(self.taken.get() + 1);
        Some(started + self.schedule.due_at(number))
    }
}

/// One connection.
struct Worker {
    shared: Arc<Shared>,
    recorder: Arc<Mutex<Recorder>>,
    client: Client,
    /// Which of the run's connections this is.
    number: u64,
    sent: u64,
    request: Vec<u8>,
}

impl Worker {
    fn new(shared: Arc<Shared>, recorder: Arc<Mutex<Recorder>>, number: usize) -> Self {
        let client = Client::new(shared.plan.target.clone(), shared.plan.timeout);
        Self { shared, recorder, client, number: number as u64, sent: 0, request: Vec::new() }
    }

    async fn run(mut self, turns: Option<Rc<Turns>>) {
        loop {
            let due = match &turns {
                Some(turns) => match turns.next(self.shared.started).await {
                    Some(due) => Some(due),
                    None => return,
                },
                None => None,
            };
            let begun = Instant::now();
            // A request of an open loop belongs to the time at which it was due, but none begins after the end.
            let admitted = self.shared.admit(due.unwrap_or(begun));
            let (Some(measured), true) = (admitted, self.shared.end().is_none_or(|end| begun < end)) else { return };
            self.fill();
            let answer = self.client.send(&self.request, None).await;
            let sample = Sample {
                outcome: answer.as_ref().map(|(head, _)| head.status).map_err(|failure| *failure),
                latency: due.unwrap_or(begun).elapsed(),
                start_delay: due.map(|due| begun.saturating_duration_since(due)),
                received: answer.as_ref().map_or(0, |(_, received)| *received),
            };
            self.recorder.lock().unwrap_or_else(PoisonError::into_inner).add(&sample, measured);
            if sample.outcome == Err(Failure::Connect) {
                tokio::time::sleep(RECONNECT_PAUSE).await;
            }
        }
    }

    /// Renders the next request.
    fn fill(&mut self) {
        let work = &self.shared.plan.work;
        let connections = self.shared.plan.connections as u64;
        // Unique among all connections, and the way through sessions and pages.
        let serial = self.sent * connections + self.number;
        self.sent += 1;
        let place = usize::try_from(serial % work.sessions.len().max(1) as u64).unwrap_or_default();
        let blanks = Blanks {
            session: work.sessions.get(place).map_or("", String::as_str),
            before: work.before.get(place).map_or("", String::as_str),
            page: serial % work.pages.max(1) + 1,
            serial,
            stamp_us: monotonic::now_us(),
        };
        let person = place % work.templates.len().max(1);
        if let Some(template) = work.templates.get(person) {
            template.render(&blanks, &mut self.request);
        }
    }
}
