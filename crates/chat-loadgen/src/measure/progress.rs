//! A line on standard error for each second of a run.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Recorder, Tally};
use crate::error::LoadError;
use crate::http::Failure;

/// Shows what the recorders of all threads have counted since the last line.
#[derive(Debug)]
pub(crate) struct Progress {
    recorders: Vec<Arc<Mutex<Recorder>>>,
    /// Of all recorders; kept, since its histograms are large.
    sum: Tally,
    started: Instant,
    last: Instant,
}

impl Progress {
    pub(crate) fn new(recorders: Vec<Arc<Mutex<Recorder>>>) -> Result<Self, LoadError> {
        let now = Instant::now();
        Ok(Self { recorders, sum: Tally::new()?, started: now, last: now })
    }

    /// Writes a line about the time since the last one.
    pub(crate) fn show(&mut self) {
        self.sum.clear();
        for recorder in &self.recorders {
            let mut recorder = recorder.lock().unwrap_or_else(PoisonError::into_inner);
            self.sum.merge(&recorder.recent);
            recorder.recent.clear();
        }
        let now = Instant::now();
        let line = line(&self.sum, now - self.started, now - self.last);
        self.last = now;
        // Nobody is there to be told that nobody is there.
        let _closed = writeln!(io::stderr(), "{line}");
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn line(sum: &Tally, since_start: Duration, span: Duration) -> String {
    let rate = sum.ended() as f64 / span.as_secs_f64().max(f64::EPSILON);
    let p99 = sum.latency.value_at_quantile(0.99) as f64 / 1_000.0;
    let mut line = format!("{:>6.1} s {rate:>10.0} requests/s   p99 {p99:>9.2} ms", since_start.as_secs_f64());
    for (status, count) in sum.statuses.iter().filter(|(status, _)| !(200..300).contains(*status)) {
        let _infallible = write!(line, "   {status}: {count}");
    }
    for (failure, count) in Failure::ALL.iter().zip(sum.failures).filter(|(_, count)| *count > 0) {
        let _infallible = write!(line, "   {}: {count}", failure.name());
    }
    line
}
