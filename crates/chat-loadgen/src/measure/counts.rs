//! What is counted while load runs, cheap enough to be kept for every request.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::error::LoadError;
use crate::http::{HttpFailure, is_success};

/// Times are kept from 1 µs to 60 s with three significant digits; what lies outside counts as the nearer end.
const LONGEST_US: u64 = 60_000_000;
const DIGITS: u8 = 3;

/// An empty histogram with these bounds.
pub(crate) fn histogram() -> Result<Histogram<u64>, LoadError> {
    Histogram::new_with_bounds(1, LONGEST_US, DIGITS)
        .map_err(|error| LoadError::setup(format!("cannot make a histogram: {error}")))
}

pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// One request that has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// The status, or why there is none.
    pub(crate) outcome: Result<u16, HttpFailure>,
    /// From the intended start to the end of the response.
    pub(crate) latency: Duration,
    /// How long after its intended start the request was sent; nothing in a closed loop.
    pub(crate) start_delay: Option<Duration>,
    /// Bytes of the response's body.
    pub(crate) received: u64,
}

/// Counts of a span of time.
#[derive(Clone, Debug)]
pub(crate) struct RequestCounts {
    /// Of responses with 2xx, in microseconds.
    pub(crate) latency: Histogram<u64>,
    /// Of all requests of an open loop, in microseconds.
    pub(crate) start_delay: Histogram<u64>,
    /// Requests by status, or by why there is none.
    pub(crate) outcomes: BTreeMap<Result<u16, HttpFailure>, u64>,
    /// Bytes of responses' bodies.
    pub(crate) received: u64,
}

impl RequestCounts {
    pub(crate) fn new() -> Result<Self, LoadError> {
        Ok(Self { latency: histogram()?, start_delay: histogram()?, outcomes: BTreeMap::new(), received: 0 })
    }

    pub(crate) fn add(&mut self, sample: &Sample) {
        *self.outcomes.entry(sample.outcome).or_default() += 1;
        if sample.outcome.is_ok_and(is_success) {
            self.latency.saturating_record(micros(sample.latency));
        }
        if let Some(delay) = sample.start_delay {
            self.start_delay.saturating_record(micros(delay));
        }
        self.received += sample.received;
    }

    /// Requests that have ended, with a response or without.
    pub(crate) fn ended(&self) -> u64 {
        self.outcomes.values().sum()
    }

    /// Responses with 2xx.
    pub(crate) fn succeeded(&self) -> u64 {
        self.latency.len()
    }
}

/// What a load counts: the measured part, and what the next line of progress shows.
#[derive(Debug)]
pub(crate) struct Recorder {
    pub(crate) total: RequestCounts,
    /// Since the last line of progress, the warm-up included.
    recent: RequestCounts,
}

impl Recorder {
    pub(crate) fn new() -> Result<Self, LoadError> {
        Ok(Self { total: RequestCounts::new()?, recent: RequestCounts::new()? })
    }

    /// Counts one request; `measured` is false while the run warms up.
    pub(crate) fn add(&mut self, sample: &Sample, measured: bool) {
        self.recent.add(sample);
        if measured {
            self.total.add(sample);
        }
    }

    /// A line about the time since the last one, which was `span` ago.
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    pub(crate) fn progress(&mut self, span: Duration) -> String {
        let rate = self.recent.ended() as f64 / span.as_secs_f64().max(f64::EPSILON);
        let p99 = self.recent.latency.value_at_quantile(0.99) as f64 / 1_000.0;
        let mut line = format!("{rate:>10.0} requests/s   p99 {p99:>9.2} ms");
        for (outcome, count) in &self.recent.outcomes {
            let _infallible = match outcome {
                Ok(status) if is_success(*status) => Ok(()),
                Ok(status) => write!(line, "   {status}: {count}"),
                Err(failure) => write!(line, "   {}: {count}", failure.name()),
            };
        }
        self.recent.latency.reset();
        self.recent.start_delay.reset();
        self.recent.outcomes.clear();
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(outcome: Result<u16, HttpFailure>) -> Sample {
        Sample { outcome, latency: Duration::from_millis(5), start_delay: None, received: 10 }
    }

    #[test]
    fn only_successes_are_timed_but_everything_is_counted() {
        let mut counts = RequestCounts::new().unwrap();
        for outcome in [Ok(201), Ok(503), Err(HttpFailure::Closed), Ok(201)] {
            counts.add(&sample(outcome));
        }
        assert_eq!((counts.ended(), counts.succeeded(), counts.received), (4, 2, 40));
        assert_eq!(counts.outcomes.get(&Ok(503)), Some(&1));
    }

    #[test]
    fn the_warm_up_is_shown_but_not_counted() {
        let mut recorder = Recorder::new().unwrap();
        recorder.add(&sample(Ok(503)), false);
        recorder.add(&sample(Ok(200)), true);
        assert_eq!((recorder.recent.ended(), recorder.total.ended()), (2, 1));
        assert!(recorder.progress(Duration::from_secs(1)).ends_with("503: 1"));
        assert_eq!((recorder.recent.ended(), recorder.total.ended()), (0, 1), "the next line is about the next second");
    }
}
