//! When a watermark, a position up to which messages were delivered or read, is recorded in a store. The newest position
//! stands for all before it, so positions that come quickly one after the other are recorded together, and one that could
//! not be recorded is retried.

use std::time::Duration;

use chat_domain::model::Seq;
use tokio::time::Instant;

/// How long to wait after the first failure; after each further one twice as long, up to 32 seconds.
const RETRY_AFTER: Duration = Duration::from_secs(1);
const MOST_DOUBLINGS: u32 = 5;

/// Decides what is to be recorded and when.
#[derive(Debug)]
pub(super) struct WatermarkRecorder {
    gap: Duration,
    recorded: Seq,
    wanted: Seq,
    running: bool,
    not_before: Option<Instant>,
    failures: u32,
}

impl WatermarkRecorder {
    /// Leaves at least `gap` between the beginnings of two recordings.
    pub(super) fn new(gap: Duration) -> Self {
        Self { gap, recorded: Seq::ZERO, wanted: Seq::ZERO, running: false, not_before: None, failures: 0 }
    }

    /// Everything up to `seq` is to be recorded.
    pub(super) fn advance_to(&mut self, seq: Seq) {
        self.wanted = self.wanted.max(seq);
    }

    /// The position to record now. The caller reports the outcome with `settled` or `failed`.
    pub(super) fn start(&mut self, now: Instant) -> Option<Seq> {
        let is_waiting = self.pending().is_some() && !self.running;
        let is_due = is_waiting && self.not_before.is_none_or(|at| now >= at);
        is_due.then(|| {
            self.running = true;
            self.not_before = Some(now + self.gap);
            self.wanted
        })
    }

    /// When the next recording is due, if a position waits.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.not_before.filter(|_| self.pending().is_some() && !self.running)
    }

    /// The position that was started is recorded, or was refused for good.
    pub(super) fn settled(&mut self, seq: Seq) {
        self.running = false;
        self.failures = 0;
        self.recorded = self.recorded.max(seq);
    }

    /// The position that was started could not be recorded and is retried. Returns whether it is the first failure in a
    /// row.
    pub(super) fn failed(&mut self, now: Instant) -> bool {
        self.running = false;
        self.not_before = Some(now + RETRY_AFTER * 2_u32.pow(self.failures.min(MOST_DOUBLINGS)));
        self.failures = self.failures.saturating_add(1);
        self.failures == 1
    }

    /// The position that is not known to be recorded.
    pub(super) fn pending(&self) -> Option<Seq> {
        (self.wanted > self.recorded).then_some(self.wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: Duration = Duration::from_secs(1);

    fn seq(n: u64) -> Seq {
        Seq::new(n)
    }

    #[test]
    fn the_first_watermark_is_recorded_at_once_and_later_ones_after_the_gap() {
        let start = Instant::now();
        let mut acks = WatermarkRecorder::new(GAP);
        acks.advance_to(seq(3));
        assert_eq!(acks.start(start), Some(seq(3)));
        acks.advance_to(seq(4));
        assert_eq!(acks.start(start), None, "the first is still on its way");
        acks.settled(seq(3));
        acks.advance_to(seq(7));
        acks.advance_to(seq(5));
        assert_eq!(acks.start(start), None, "too soon");
        assert_eq!(acks.deadline(), Some(start + GAP));
        assert_eq!(acks.start(start + GAP), Some(seq(7)));
        acks.settled(seq(7));
        assert_eq!((acks.pending(), acks.deadline()), (None, None));
        acks.advance_to(seq(6));
        assert_eq!(acks.start(start + GAP * 9), None, "it is known already");
    }

    #[test]
    fn a_failed_watermark_is_retried_with_growing_delays() {
        let start = Instant::now();
        let mut acks = WatermarkRecorder::new(Duration::ZERO);
        acks.advance_to(seq(3));
        for (number, seconds) in [1, 2, 4, 8, 16, 32, 32].into_iter().enumerate() {
            let now = acks.deadline().unwrap_or(start);
            assert_eq!(acks.start(now), Some(seq(3)));
            assert_eq!(acks.failed(now), number == 0);
            assert_eq!(acks.deadline(), Some(now + Duration::from_secs(seconds)));
            assert_eq!(acks.pending(), Some(seq(3)));
        }
    }
}
