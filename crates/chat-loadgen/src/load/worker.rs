//! One connection of a load, and what all of them share.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{LoadPlan, StopAfter, Turns};
use crate::error::LoadError;
use crate::http::{HttpClient, HttpFailure, HttpRequest, TemplateValues};
use crate::measure::{Recorder, Sample};

/// The pause after a connection that could not be opened, so that a service that is down is not flooded.
const RECONNECT_PAUSE: Duration = Duration::from_millis(50);

/// What all connections of a load share.
#[derive(Debug)]
pub(super) struct LoadState {
    pub(super) plan: LoadPlan,
    pub(super) started: Instant,
    pub(super) recorder: Mutex<Recorder>,
    /// In an open loop.
    pub(super) turns: Option<Turns>,
    /// Measured requests that may still be sent, of a load that is limited by number.
    left: AtomicI64,
}

impl LoadState {
    pub(super) fn new(plan: LoadPlan, turns: Option<Turns>) -> Result<Self, LoadError> {
        let left = match plan.stop {
            StopAfter::Requests(number) => i64::try_from(number).unwrap_or(i64::MAX),
            StopAfter::Time(_) => 0,
        };
        let recorder = Mutex::new(Recorder::new()?);
        Ok(Self { plan, started: Instant::now(), recorder, turns, left: AtomicI64::new(left) })
    }

    fn measured_from(&self) -> Instant {
        self.started + self.plan.warmup
    }

    /// When no request is begun any more.
    fn end(&self) -> Option<Instant> {
        match self.plan.stop {
            StopAfter::Time(time) => Some(self.measured_from() + time),
            StopAfter::Requests(_) => None,
        }
    }

    /// Whether a request that is due at `due` may begin at `begun`, and if so whether it is measured.
    fn admit(&self, due: Instant, begun: Instant) -> Option<bool> {
        let measured = due >= self.measured_from();
        match self.end() {
            // A request of an open loop belongs to the time at which it was due, but none begins after the end.
            Some(end) => (due < end && begun < end).then_some(measured),
            None if !measured => Some(false),
            None => (self.left.fetch_sub(1, Ordering::Relaxed) > 0).then_some(true),
        }
    }

    /// Lets requests become due until the end of the load; returns that this was no connection.
    pub(super) async fn pace(self: Arc<Self>) -> Result<bool, LoadError> {
        // A load that is limited by number ends with its connections; the schedule has no end of its own.
        let end = self.end().unwrap_or_else(|| self.started + Duration::from_hours(24 * 365));
        if let Some(turns) = &self.turns {
            turns.pace(self.started, end).await.map_err(LoadError::io("keep to the schedule"))?;
        }
        Ok(false)
    }

    /// How many requests the schedule has in the measured time; `None` in a closed loop or one limited by number.
    pub(super) fn scheduled(&self) -> Option<u64> {
        let (turns, StopAfter::Time(time)) = (self.turns.as_ref()?, self.plan.stop) else { return None };
        // A request due exactly at the end is not part of the run, one due at the end of the warm-up is.
        let before = |elapsed: Duration| {
            elapsed.checked_sub(Duration::from_nanos(1)).map_or(0, |elapsed| turns.schedule.due_by(elapsed))
        };
        Some(before(self.plan.warmup + time) - before(self.plan.warmup))
    }
}

pub(super) struct Worker {
    load: Arc<LoadState>,
    client: HttpClient,
    /// Which of the connections this is.
    number: u64,
    sent: u64,
}

impl Worker {
    pub(super) fn new(load: Arc<LoadState>, number: usize) -> Self {
        let client = HttpClient::new(load.plan.target.clone(), load.plan.timeout);
        Self { load, client, number: number as u64, sent: 0 }
    }

    /// Sends until the end of the load; returns that this was a connection.
    pub(super) async fn run(mut self) -> Result<bool, LoadError> {
        loop {
            let due = match &self.load.turns {
                Some(turns) => match turns.next(self.load.started).await {
                    Some(due) => Some(due),
                    None => return Ok(true),
                },
                None => None,
            };
            let begun = Instant::now();
            let Some(measured) = self.load.admit(due.unwrap_or(begun), begun) else { return Ok(true) };
            let request = self.request()?;
            let response = self.client.send(request).await;
            let sample = Sample {
                outcome: response.as_ref().map(|response| response.status().as_u16()).map_err(|failure| *failure),
                latency: due.unwrap_or(begun).elapsed(),
                start_delay: due.map(|due| begun.saturating_duration_since(due)),
                received: response.map_or(0, |response| response.body().len() as u64),
            };
            self.load.recorder.lock().unwrap_or_else(PoisonError::into_inner).add(&sample, measured);
            if sample.outcome == Err(HttpFailure::Connect) {
                tokio::time::sleep(RECONNECT_PAUSE).await;
            }
        }
    }

    /// The next request.
    fn request(&mut self) -> Result<HttpRequest, LoadError> {
        let LoadPlan { requests, connections, .. } = &self.load.plan;
        // Unique among all connections, and the way through sessions and pages.
        let serial = self.sent * *connections as u64 + self.number;
        self.sent += 1;
        let place = usize::try_from(serial % requests.sessions.len().max(1) as u64).unwrap_or_default();
        let values = TemplateValues {
            session: requests.sessions.get(place).map_or("", String::as_str),
            before: requests.before.get(place).map_or("", String::as_str),
            page: serial % requests.pages.max(1) + 1,
            serial,
        };
        let template = requests.templates.get(place % requests.templates.len().max(1));
        template.ok_or_else(|| LoadError::setup("there is nothing to send"))?.render(&values)
    }
}
