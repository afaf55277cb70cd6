//! How many frames a client may send: token buckets.

use std::time::Duration;

use tokio::time::Instant;

use crate::socket_protocol::{FRAME_BURST, FRAMES_PER_MINUTE, SUBSCRIPTION_BURST, SUBSCRIPTIONS_PER_MINUTE};

/// Counts the frames of one client.
pub(super) type FrameBudget = TokenBucket<FRAME_BURST, FRAMES_PER_MINUTE>;
/// Counts the frames that begin and end subscriptions.
pub(super) type SubscriptionBudget = TokenBucket<SUBSCRIPTION_BURST, SUBSCRIPTIONS_PER_MINUTE>;

/// `BURST` at once, and `PER_MINUTE` a minute.
#[derive(Debug)]
pub(super) struct TokenBucket<const BURST: u32, const PER_MINUTE: u32> {
    left: u32,
    refilled_at: Instant,
}

impl<const BURST: u32, const PER_MINUTE: u32> TokenBucket<BURST, PER_MINUTE> {
    /// After so long one frame more may come.
    const REFILL: Duration = Duration::from_millis(60_000 / PER_MINUTE as u64);

    pub(super) fn new(now: Instant) -> Self {
        Self { left: BURST, refilled_at: now }
    }

    /// Takes one frame from the budget; `false` when it is used up.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let earned = u32::try_from(now.duration_since(self.refilled_at).as_millis() / Self::REFILL.as_millis());
        let earned = earned.unwrap_or(u32::MAX);
        if earned > 0 {
            self.left = self.left.saturating_add(earned).min(BURST);
            self.refilled_at = if self.left == BURST { now } else { self.refilled_at + Self::REFILL * earned };
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
        let refill = FrameBudget::REFILL;
        let mut budget = FrameBudget::new(start);
        assert!((0..40).all(|_| budget.take(start)));
        assert!(!budget.take(start));
        assert!(budget.take(start + refill));
        assert!(!budget.take(start + refill));
        let later = start + Duration::from_hours(1);
        assert!((0..40).all(|_| budget.take(later)));
        assert!(!budget.take(later));
    }

    #[test]
    fn two_hundred_subscriptions_may_come_at_once_and_four_hundred_in_the_minute_after() {
        let start = Instant::now();
        let mut budget = SubscriptionBudget::new(start);
        assert!((0..200).all(|_| budget.take(start)));
        assert!(!budget.take(start));
        let taken = (0..60_000).filter(|ms| budget.take(start + Duration::from_millis(*ms))).count();
        assert_eq!(taken, 399, "one every 150 milliseconds");
    }
}
