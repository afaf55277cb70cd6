//! Where a limiter keeps what it knows of each key, within a bounded memory.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use governor::nanos::Nanos;
use governor::state::StateStore;
use lru::LruCache;

/// So that threads seldom wait for each other.
const SHARDS: usize = 16;
/// How many keys a shard keeps.
const PER_SHARD: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4_095);

/// The state of the keys that were used last, at most 65,536 of them: about 10 MiB for each limit.
///
/// A key that is dropped is as if it had never been used. So the bound lets more through only where that many others were
/// used since, and a key that is at its limit is the last to go: refused uses count too.
pub(super) struct BoundedStore {
    shards: [Mutex<LruCache<u64, Nanos>>; SHARDS],
}

impl Default for BoundedStore {
    fn default() -> Self {
        let shard = |_| {
            let mut keys = LruCache::unbounded();
            // Room is taken as it is needed and not in advance.
            keys.resize(PER_SHARD);
            Mutex::new(keys)
        };
        Self { shards: std::array::from_fn(shard) }
    }
}

impl StateStore for BoundedStore {
    /// A hash that cannot be foreseen from outside.
    type Key = u64;

    fn measure_and_replace<T, F, E>(&self, key: &u64, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let index = usize::try_from(key % SHARDS as u64).unwrap_or_default();
        // There is one for every remainder.
        let Some(shard) = self.shards.get(index) else { return decide(None).map(|(outcome, _)| outcome) };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = shard.get_mut(key) {
            let (outcome, next) = decide(Some(*state))?;
            *state = next;
            return Ok(outcome);
        }
        let (outcome, next) = decide(None)?;
        shard.put(*key, next);
        Ok(outcome)
    }
}

#[cfg(test)]
impl BoundedStore {
    /// The most keys that there can be.
    pub(super) const MOST: usize = SHARDS * PER_SHARD.get();

    /// How many keys are kept.
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap().len()).sum()
    }
}
