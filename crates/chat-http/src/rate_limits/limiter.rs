//! One limit for many keys.

use std::time::Duration;

use governor::RateLimiter;
use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;

use super::bounded_store::BoundedStore;
use super::rate::Rate;

/// Says of each key how long it has to wait: a bucket that is full at first and filled again evenly (GCRA).
pub(super) struct Limiter<C: Clock = MonotonicClock> {
    pub(super) rate: Rate,
    buckets: RateLimiter<u64, BoundedStore, C, NoOpMiddleware<C::Instant>>,
}

impl<C: Clock> Limiter<C> {
    pub(super) fn new(rate: Rate, clock: C) -> Self {
        Self { rate, buckets: RateLimiter::new(rate.quota(), BoundedStore::default(), clock) }
    }

    /// Takes one from the bucket of a key.
    ///
    /// # Errors
    /// The bucket is empty; after this time there is one in it.
    pub(super) fn take(&self, key: u64) -> Result<(), Duration> {
        self.buckets.check_key(&key).map_err(|empty| empty.wait_time_from(self.buckets.clock().now()))
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::super::rate::RateLimit;
    use super::*;

    fn limiter(rate: &str) -> (Limiter<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        let RateLimit::At(rate) = RateLimit::parse(rate).unwrap() else { unreachable!("a rate") };
        (Limiter::new(rate, clock.clone()), clock)
    }

    #[test]
    fn a_bucket_is_full_at_first_and_filled_evenly() {
        let (limiter, clock) = limiter("30/min");
        assert!((0..30).all(|_| limiter.take(1).is_ok()));
        assert_eq!(limiter.take(1), Err(Duration::from_secs(2)));
        assert!(limiter.take(2).is_ok(), "another key has its own");
        clock.advance(Duration::from_millis(1_500));
        assert_eq!(limiter.take(1), Err(Duration::from_millis(500)));
        clock.advance(Duration::from_millis(500));
        assert_eq!((limiter.take(1), limiter.take(1)), (Ok(()), Err(Duration::from_secs(2))));
        clock.advance(Duration::from_hours(1));
        assert!((0..30).all(|_| limiter.take(1).is_ok()));
        assert!(limiter.take(1).is_err());
    }

    #[test]
    fn a_million_keys_take_bounded_memory_and_free_none_that_is_at_its_limit() {
        const AT_LIMIT: u64 = u64::MAX;
        let (limiter, _clock) = limiter("2/min");
        for _ in 0..2 {
            limiter.take(AT_LIMIT).unwrap();
        }
        for key in 0..1_000_000 {
            // An odd factor spreads the keys over all bits.
            limiter.take(u64::wrapping_mul(key, 0x9e37_79b9_7f4a_7c15)).unwrap();
            if key % 1_000 == 0 {
                limiter.take(AT_LIMIT).unwrap_err();
            }
        }
        let store = limiter.buckets.into_state_store();
        assert!((BoundedStore::MOST / 2..=BoundedStore::MOST).contains(&store.len()), "{}", store.len());
    }

    #[test]
    fn a_key_that_was_not_used_for_long_is_dropped_first() {
        let (limiter, _clock) = limiter("1/h");
        limiter.take(u64::MAX).unwrap();
        limiter.take(u64::MAX).unwrap_err();
        for key in 0..2 * BoundedStore::MOST as u64 {
            limiter.take(key).unwrap();
        }
        limiter.take(u64::MAX).unwrap();
    }
}
