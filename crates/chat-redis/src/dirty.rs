//! The shards of messages that found no room, and how often they are compared with the log. The room may be taken by
//! messages that no node has signed, so these comparisons have a pause: who fills the queue of this node is not to decide
//! how often it asks the database.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long a shard waits that was marked right after the last comparison.
const PAUSE: Duration = Duration::from_secs(1);

/// The shards of dropped messages, one bit each.
#[derive(Default)]
pub(crate) struct Dirty(AtomicU64);

impl Dirty {
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

/// The shards of dropped messages, for the reader.
pub(crate) struct Suspects {
    dirty: Arc<Dirty>,
    not_before: Option<Instant>,
}

impl Suspects {
    pub(crate) fn new(dirty: Arc<Dirty>) -> Self {
        Self { dirty, not_before: None }
    }

    /// The shards that are to be compared now. The others stay marked.
    pub(crate) fn due(&mut self, now: Instant) -> Option<impl Iterator<Item = u16> + use<>> {
        if self.dirty.is_clean() {
            return None;
        }
        if self.not_before.is_some_and(|not_before| now < not_before) {
            return None;
        }
        self.not_before = Some(now + PAUSE);
        Some(self.dirty.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_of_dropped_messages_are_compared_once_a_second_at_most() {
        let dirty = Arc::new(Dirty::default());
        let (mut suspects, start) = (Suspects::new(Arc::clone(&dirty)), Instant::now());
        let mut compared = Vec::new();
        for ms in 0..3_500 {
            dirty.mark(if ms < 500 { 3 } else { 63 });
            let now = start + Duration::from_millis(ms);
            if let Some(shards) = suspects.due(now) {
                compared.push((ms, shards.collect::<Vec<_>>()));
            }
        }
        assert_eq!(compared, [(0, vec![3]), (1_000, vec![3, 63]), (2_000, vec![63]), (3_000, vec![63])]);
        let later = start + Duration::from_secs(10);
        assert_eq!(suspects.due(later).map(Iterator::collect::<Vec<_>>), Some(vec![63]), "none is forgotten");
        assert!(suspects.due(later).is_none());
    }
}
