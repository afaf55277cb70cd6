//! What is counted while load runs, cheap enough to be kept for every request.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::error::LoadError;
use crate::http::Failure;

/// Times are kept from 1 µs to 60 s with three significant digits; what lies outside counts as the nearer end.
const LONGEST_US: u64 = 60_000_000;
const DIGITS: u8 = 3;

/// An empty histogram with these bounds.
pub(crate) fn histogram() -> Result<Histogram<u64>, LoadError> {
    Histogram::new_with_bounds(1, LONGEST_US, DIGITS)
        .map_err(|error| LoadError::setup(format!("cannot make a histogram: {error}")))
}

/// One request that has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// The status, or why there is none.
    pub(crate) outcome: Result<u16, Failure>,
    /// From the intended start to the end of the answer.
    pub(crate) latency: Duration,
    /// How long after its intended start the request was sent; nothing in a closed loop.
    pub(crate) start_delay: Option<Duration>,
    /// How many bytes of answer came.
    pub(crate) received: u64,
}

/// Counts of a span of time.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    /// Of answers with 2xx, in microseconds.
    pub(crate) latency: Histogram<u64>,
    /// Of all requests of an open loop, in microseconds.
    pub(crate) start_delay: Histogram<u64>,
    /// Answers by status.
    pub(crate) statuses: BTreeMap<u16, u64>,
    /// Requests without an answer, by [`Failure::ALL`].
    pub(crate) failures: [u64; Failure::ALL.len()],
    /// Bytes of answers, heads included.
    pub(crate) received: u64,
}

pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl Tally {
    /// Nothing counted yet.
    pub(crate) fn new() -> Result<Self, LoadError> {
        Ok(Self {
            latency: histogram()?,
            start_delay: histogram()?,
            statuses: BTreeMap::new(),
            failures: [0; Failure::ALL.len()],
            received: 0,
        })
    }

    /// Counts one request.
    pub(crate) fn add(&mut self, sample: &Sample) {
        match sample.outcome {
            Ok(status) => {
                *self.statuses.entry(status).or_default() += 1;
                if is_success(status) {
                    self.latency.saturating_record(micros(sample.latency));
                }
            }
            Err(failure) => {
                let kinds = Failure::ALL.iter().zip(&mut self.failures);
                kinds.filter(|(kind, _)| **kind == failure).for_each(|(_, count)| *count += 1);
            }
        }
        if let Some(delay) = sample.start_delay {
            self.start_delay.saturating_record(micros(delay));
        }
        self.received += sample.received;
    }

    /// Adds what another part of the run has counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        // Both have the same bounds, so adding cannot fail.
        let _same_bounds = self.latency.add(&other.latency);
        let _same_bounds = self.start_delay.add(&other.start_delay);
        for (status, count) in &other.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        for (count, more) in self.failures.iter_mut().zip(other.failures) {
            *count += more;
        }
        self.received += other.received;
    }

    /// Empties it and keeps its memory.
    pub(crate) fn clear(&mut self) {
        self.latency.reset();
        self.start_delay.reset();
        self.statuses.clear();
        self.failures = [0; Failure::ALL.len()];
        self.received = 0;
    }

    /// Requests that have ended, answered or not.
    pub(crate) fn ended(&self) -> u64 {
        self.statuses.values().sum::<u64>() + self.failures.iter().sum::<u64>()
    }

    /// Answers with 2xx.
    pub(crate) fn succeeded(&self) -> u64 {
        self.statuses.iter().filter(|(status, _)| is_success(**status)).map(|(_, count)| count).sum()
    }
}

fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

/// What a thread of a run counts: everything that counts, and what the next line of progress shows.
#[derive(Debug)]
pub(crate) struct Recorder {
    /// The measured part of the run.
    pub(crate) total: Tally,
    /// Since the last line of progress, the warm-up included.
    pub(crate) recent: Tally,
}

impl Recorder {
    /// Nothing counted yet.
    pub(crate) fn new() -> Result<Self, LoadError> {
        Ok(Self { total: Tally::new()?, recent: Tally::new()? })
    }

    /// Counts one request; `measured` is false while the run warms up.
    pub(crate) fn add(&mut self, sample: &Sample, measured: bool) {
        self.recent.add(sample);
        if measured {
            self.total.add(sample);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(outcome: Result<u16, Failure>) -> Sample {
        Sample { outcome, latency: Duration::from_millis(5), start_delay: None, received: 10 }
    }

    #[test]
    fn only_successes_are_timed_but_everything_is_counted() {
        let mut tally = Tally::new().unwrap();
        for outcome in [Ok(201), Ok(503), Err(Failure::Closed), Ok(201)] {
            tally.add(&sample(outcome));
        }
        assert_eq!((tally.ended(), tally.succeeded(), tally.latency.len()), (4, 2, 2));
        assert_eq!(tally.statuses.get(&503), Some(&1));
        let mut sum = Tally::new().unwrap();
        sum.merge(&tally);
        sum.merge(&tally);
        assert_eq!((sum.ended(), sum.succeeded(), sum.received), (8, 4, 80));
    }

    #[test]
    fn what_came_before_the_measurement_is_shown_but_not_counted() {
        let mut recorder = Recorder::new().unwrap();
        recorder.add(&sample(Ok(200)), false);
        recorder.add(&sample(Ok(200)), true);
        assert_eq!((recorder.recent.ended(), recorder.total.ended()), (2, 1));
    }
}
