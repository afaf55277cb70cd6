//! Log lines that clients can cause as often as they like: one a minute.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long no other line follows a line.
const INTERVAL: Duration = Duration::from_mins(1);

/// When a line was last logged.
#[derive(Debug, Default)]
pub(crate) struct LogInterval(Mutex<Option<Instant>>);

impl LogInterval {
    /// Whether a line is to be logged now. If so, it counts as logged.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        let mut logged_at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = logged_at.is_none_or(|at| now.saturating_duration_since(at) >= INTERVAL);
        if is_due {
            *logged_at = Some(now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_minute_is_logged() {
        let (interval, start) = (LogInterval::default(), Instant::now());
        let seconds = [0, 1, 59, 60, 61, 119, 120].map(|second| start + Duration::from_secs(second));
        assert_eq!(seconds.map(|now| interval.is_due(now)), [true, false, false, true, false, false, true]);
    }
}
