//! How many frames a client may send: a token bucket.

use std::time::Duration;

use tokio::time::Instant;

use crate::socket_protocol::{FRAME_BURST, FRAMES_PER_MINUTE};

const BURST: u32 = FRAME_BURST;
/// After so long one frame more may come.
const REFILL: Duration = Duration::from_millis(60_000 / FRAMES_PER_MINUTE as u64);

/// Counts the frames of one client.
#[derive(Debug)]
pub(super) struct FrameBudget {
    left: u32,
    refilled_at: Instant,
}

impl FrameBudget {
    pub(super) fn new(now: Instant) -> Self {
        Self { left: BURST, refilled_at: now }
    }

    /// Takes one frame from the budget; `false` when it is used up.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let earned = u32::try_from(now.duration_since(self.refilled_at).as_millis() / REFILL.as_millis());
        let earned = earned.unwrap_or(u32::MAX);
        if earned > 0 {
            self.left = self.left.saturating_add(earned).min(BURST);
            self.refilled_at = if self.left == BURST { now } else { self.refilled_at + REFILL * earned };
        }
        let has_one = self.left > 0;
        self.left = self.left.saturating_sub(1);
        has_one
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forty_frames_may_come_at_once_and_two_a_second_after_that() {
        let start = Instant::now();
        let mut budget = FrameBudget::new(start);
        assert!((0..40).all(|_| budget.take(start)));
        assert!(!budget.take(start));
        assert!(budget.take(start + REFILL));
        assert!(!budget.take(start + REFILL));
        let later = start + Duration::from_hours(1);
        assert!((0..40).all(|_| budget.take(later)));
        assert!(!budget.take(later));
    }
}
