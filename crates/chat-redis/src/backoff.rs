//! How long to wait before the next attempt to connect. No clock: the caller waits.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);

/// Pauses that double from 100 ms to 2 s. Each is cut by up to a half at random, so that nodes that lost Redis at the
/// same moment do not come back at the same moment.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { next: FIRST }
    }

    /// The next pause; `random` is any number.
    pub(crate) fn pause(&mut self, random: u32) -> Duration {
        let whole = self.next;
        self.next = (whole * 2).min(LONGEST);
        whole.saturating_sub(whole.mul_f64(f64::from(random) / f64::from(u32::MAX) / 2.0))
    }

    /// After a success, pauses are short again.
    pub(crate) fn reset(&mut self) {
        self.next = FIRST;
    }
}

/// A number for [`Backoff::pause`]. Without a source of random numbers there is no jitter.
pub(crate) fn random() -> u32 {
    getrandom::u32().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_two_seconds_and_are_short_again_after_a_success() {
        let mut backoff = Backoff::new();
        let pauses: Vec<u128> = (0..7).map(|_| backoff.pause(0).as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1_600, 2_000, 2_000]);
        backoff.reset();
        assert_eq!(backoff.pause(0).as_millis(), 100);
    }

    #[test]
    fn jitter_takes_up_to_half_of_a_pause() {
        assert_eq!(Backoff::new().pause(u32::MAX).as_millis(), 50);
    }
}
