//! A position that is recorded in a store: the newest one stands for all before it, so that what comes quickly one after
//! the other is recorded together, and what could not be recorded is tried again.

use std::time::Duration;

use chat_domain::model::Seq;
use tokio::time::Instant;

/// How long to wait after the first failure; after each further one twice as long, up to 32 seconds.
const RETRY_AFTER: Duration = Duration::from_secs(1);
const MOST_DOUBLINGS: u32 = 5;

/// Knows what is to be recorded and when.
#[derive(Debug)]
pub(super) struct Cumulative {
    gap: Duration,
    recorded: Seq,
    wanted: Seq,
    running: bool,
    not_before: Option<Instant>,
    failures: u32,
}

impl Cumulative {
    /// Leaves at least `gap` between the beginnings of two recordings.
    pub(super) fn new(gap: Duration) -> Self {
        Self { gap, recorded: Seq::ZERO, wanted: Seq::ZERO, running: false, not_before: None, failures: 0 }
    }

    /// Everything up to `seq` is to be recorded.
    pub(super) fn want(&mut self, seq: Seq) {
        self.wanted = self.wanted.max(seq);
    }

    /// What is to be recorded now. The caller says later how that went.
    pub(super) fn start(&mut self, now: Instant) -> Option<Seq> {
        let waits = self.rest().is_some() && !self.running;
        let due = waits && self.not_before.is_none_or(|at| now >= at);
        due.then(|| {
            self.running = true;
            self.not_before = Some(now + self.gap);
            self.wanted
        })
    }

    /// When the next recording is due, if one waits.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.not_before.filter(|_| self.rest().is_some() && !self.running)
    }

    /// What was started is recorded, or will never be: there is nothing left to do for it.
    pub(super) fn settled(&mut self, seq: Seq) {
        self.running = false;
        self.failures = 0;
        self.recorded = self.recorded.max(seq);
    }

    /// What was started has failed for now; whether it is the first time in a row.
    pub(super) fn failed(&mut self, now: Instant) -> bool {
        self.running = false;
        self.not_before = Some(now + RETRY_AFTER * 2_u32.pow(self.failures.min(MOST_DOUBLINGS)));
        self.failures = self.failures.saturating_add(1);
        self.failures == 1
    }

    /// What is not known to be recorded.
    pub(super) fn rest(&self) -> Option<Seq> {
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
    fn the_first_is_recorded_at_once_and_later_ones_together_after_the_gap() {
        let start = Instant::now();
        let mut acks = Cumulative::new(GAP);
        acks.want(seq(3));
        assert_eq!(acks.start(start), Some(seq(3)));
        acks.want(seq(4));
        assert_eq!(acks.start(start), None, "the first is still on its way");
        acks.settled(seq(3));
        acks.want(seq(7));
        acks.want(seq(5));
        assert_eq!(acks.start(start), None, "too soon");
        assert_eq!(acks.deadline(), Some(start + GAP));
        assert_eq!(acks.start(start + GAP), Some(seq(7)));
        acks.settled(seq(7));
        assert_eq!((acks.rest(), acks.deadline()), (None, None));
        acks.want(seq(6));
        assert_eq!(acks.start(start + GAP * 9), None, "it is known already");
    }

    #[test]
    fn what_failed_is_tried_again_less_and_less_often() {
        let start = Instant::now();
        let mut acks = Cumulative::new(Duration::ZERO);
        acks.want(seq(3));
        for (number, seconds) in [1, 2, 4, 8, 16, 32, 32].into_iter().enumerate() {
            let now = acks.deadline().unwrap_or(start);
            assert_eq!(acks.start(now), Some(seq(3)));
            assert_eq!(acks.failed(now), number == 0);
            assert_eq!(acks.deadline(), Some(now + Duration::from_secs(seconds)));
            assert_eq!(acks.rest(), Some(seq(3)));
        }
    }
}
