//! When the requests of an open loop are due: arithmetic without a clock.

use std::time::Duration;

/// A constant rate, from the start of the run. Of several threads each has its own share, evenly interleaved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    interval_ns: f64,
    offset_ns: f64,
}

impl Schedule {
    /// The share of thread `thread` of `threads` in `rate` requests per second.
    pub fn new(rate: f64, thread: usize, threads: usize) -> Self {
        let between_all = 1e9 / rate;
        Self { interval_ns: between_all * as_f64(threads as u64), offset_ns: between_all * as_f64(thread as u64) }
    }

    /// When request number `n`, counted from 0, is due, after the start. Computed from `n` each time, so that rounding
    /// does not add up.
    pub fn due_at(&self, n: u64) -> Duration {
        Duration::from_nanos(nanos(self.offset_ns + self.interval_ns * as_f64(n)))
    }

    /// How many requests are due at or before `elapsed`.
    pub fn due_by(&self, elapsed: Duration) -> u64 {
        let elapsed_ns = as_f64(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX));
        if elapsed_ns < self.offset_ns {
            return 0;
        }
        let mut count = nanos((elapsed_ns - self.offset_ns) / self.interval_ns);
        // The division may round to either side of a whole number; `due_at` decides.
        while self.due_at(count) <= elapsed {
            count += 1;
        }
        while count > 0 && self.due_at(count - 1) > elapsed {
            count -= 1;
        }
        count
    }
}

#[expect(clippy::cast_precision_loss, reason = "nanoseconds of a hundred days stay below 2^53")]
fn as_f64(number: u64) -> f64 {
    number as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, and `as` saturates")]
fn nanos(value: f64) -> u64 {
    value as u64
}
