//! The shards of messages that were dropped because the inbox was full, and how often they are marked as suspect. The
//! inbox may be filled with messages that no node has signed, so there is a pause between these marks: a foreign writer
//! must not decide how often a node queries the database.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long a shard waits that was marked right after the last check.
const PAUSE: Duration = Duration::from_secs(1);

/// The shards of dropped messages, one bit each.
#[derive(Default)]
pub(crate) struct OverflowedShards(AtomicU64);

impl OverflowedShards {
    pub(crate) fn mark(&self, shard: u16) {
        self.0.fetch_or(1 << shard, Ordering::Relaxed);
    }

    fn is_clean(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    /// The shards that were marked since the last call.
    pub(crate) fn take(&self) -> impl Iterator<Item = u16> + use<> {
        // A load costs less than a swap, and mostly there is nothing.
        let bits = if self.is_clean() { 0 } else { self.0.swap(0, Ordering::Relaxed) };
        (0..64).filter(move |shard| bits >> shard & 1 == 1)
    }
}

/// The shards of dropped messages, as the reader checks them.
pub(crate) struct ShardChecks {
    overflowed: Arc<OverflowedShards>,
    not_before: Option<Instant>,
}

impl ShardChecks {
    pub(crate) fn new(overflowed: Arc<OverflowedShards>) -> Self {
        Self { overflowed, not_before: None }
    }

    /// The shards that are to be marked as suspect now. The others stay here.
    pub(crate) fn due(&mut self, now: Instant) -> Option<impl Iterator<Item = u16> + use<>> {
        if self.overflowed.is_clean() {
            return None;
        }
        if self.not_before.is_some_and(|not_before| now < not_before) {
            return None;
        }
        self.not_before = Some(now + PAUSE);
        Some(self.overflowed.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overflowed_shards_are_checked_once_a_second_at_most() {
        let overflowed = Arc::new(OverflowedShards::default());
        let (mut checks, start) = (ShardChecks::new(Arc::clone(&overflowed)), Instant::now());
        let mut compared = Vec::new();
        for ms in 0..3_500 {
            overflowed.mark(if ms < 500 { 3 } else { 63 });
            let now = start + Duration::from_millis(ms);
            if let Some(shards) = checks.due(now) {
                compared.push((ms, shards.collect::<Vec<_>>()));
            }
        }
        assert_eq!(compared, [(0, vec![3]), (1_000, vec![3, 63]), (2_000, vec![63]), (3_000, vec![63])]);
        let later = start + Duration::from_secs(10);
        assert_eq!(checks.due(later).map(Iterator::collect::<Vec<_>>), Some(vec![63]), "none is forgotten");
        assert!(checks.due(later).is_none());
    }
}
