//! Whether the other nodes are reachable, for callers and for the log: a line when they become unreachable, again from
//! time to time, and one when they are reachable again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::metering::RedisMetrics;

/// How often the log repeats that the others are unreachable.
const REMINDER: Duration = Duration::from_mins(1);

/// How often at most it reports another reason, as when several servers fail in turn.
const NEW_REASON: Duration = Duration::from_secs(10);

/// Shared by everything that talks to Redis.
pub(crate) struct PeerStatus {
    reachable: watch::Sender<bool>,
    /// The generation of the connection on which the others were reachable last; 0 when they never were.
    generation: AtomicU64,
    outage: Mutex<Option<RedisOutage>>,
    metering: RedisMetrics,
}

/// An outage of Redis, as the log reports it.
struct RedisOutage {
    since: Instant,
    logged_at: Instant,
    /// The newest reason.
    reason: String,
    /// The reason that was logged last.
    logged_reason: String,
}

impl PeerStatus {
    pub(crate) fn new(metering: RedisMetrics) -> Self {
        metering.reachable.set(0.0);
        let (reachable, _) = watch::channel(false);
        Self { reachable, generation: AtomicU64::new(0), outage: Mutex::new(None), metering }
    }

    /// The others are reachable on the connection of this generation.
    pub(crate) fn set_reachable(&self, generation: u64) {
        let is_first = self.generation.swap(generation, Ordering::Relaxed) == 0;
        self.metering.reachable.set(1.0);
        self.reachable.send_replace(true);
        if self.lock().take().is_some() {
            info!("Redis is back: the other nodes are reachable again");
        } else if is_first {
            info!("Redis is connected: the other nodes are reachable");
        }
    }

    /// The others are unreachable.
    pub(crate) fn set_unreachable(&self) {
        self.metering.reachable.set(0.0);
        self.reachable.send_replace(false);
    }

    /// Redis cannot be used, for this reason. Logged at once, and then every minute until the others are reachable.
    pub(crate) fn report(&self, reason: &str) {
        let now = Instant::now();
        let mut outage = self.lock();
        let Some(known) = outage.as_mut() else {
            warn!(
                reason,
                "Redis cannot be used: events of other nodes are read from the database until it is back; check the \
                 server that --redis-url (CHAT_REDIS_URL) names"
            );
            *outage = Some(RedisOutage {
                since: now,
                logged_at: now,
                reason: reason.to_owned(),
                logged_reason: reason.to_owned(),
            });
            return;
        };
        reason.clone_into(&mut known.reason);
        let pause = if known.logged_reason == reason { REMINDER } else { NEW_REASON };
        if now.duration_since(known.logged_at) < pause {
            return;
        }
        known.logged_at = now;
        reason.clone_into(&mut known.logged_reason);
        let seconds = now.duration_since(known.since).as_secs();
        if self.generation.load(Ordering::Relaxed) == 0 {
            warn!(
                reason,
                seconds,
                "Redis could not be used since the start: other nodes do not know of this one, and find its events \
                 only when they compare all sessions with the database"
            );
        } else {
            warn!(reason, seconds, "Redis still cannot be used");
        }
    }

    /// Why Redis cannot be used at the moment, if it cannot.
    pub(crate) fn outage_reason(&self) -> Option<String> {
        self.lock().as_ref().map(|outage| outage.reason.clone())
    }

    pub(crate) fn is_reachable(&self) -> bool {
        *self.reachable.borrow()
    }

    /// Whether the others were reachable on the connection of this generation.
    pub(crate) fn was_reachable_on(&self, generation: u64) -> bool {
        self.generation.load(Ordering::Relaxed) == generation
    }

    /// A receiver of whether they are.
    pub(crate) fn watch(&self) -> watch::Receiver<bool> {
        self.reachable.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Option<RedisOutage>> {
        self.outage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_newest_reason_is_kept_until_reachable_and_logged_every_minute() {
        let status = PeerStatus::new(RedisMetrics::new());
        let logged_at = || status.lock().as_ref().map(|outage| outage.logged_at);
        assert_eq!(status.outage_reason(), None);
        status.report("one");
        let first = logged_at();
        tokio::time::advance(REMINDER / 2).await;
        status.report("one");
        assert_eq!((status.outage_reason().as_deref(), logged_at()), (Some("one"), first));
        tokio::time::advance(REMINDER / 2).await;
        status.report("one");
        assert_ne!(logged_at(), first);
        status.set_reachable(1);
        assert_eq!(status.outage_reason(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn another_reason_is_logged_soon_but_not_repeatedly() {
        let status = PeerStatus::new(RedisMetrics::new());
        let logged_reason = || status.lock().as_ref().map(|outage| outage.logged_reason.clone());
        status.report("one");
        status.report("another");
        assert_eq!((status.outage_reason().as_deref(), logged_reason().as_deref()), (Some("another"), Some("one")));
        tokio::time::advance(NEW_REASON).await;
        status.report("another");
        status.report("one");
        assert_eq!(logged_reason().as_deref(), Some("another"));
    }
}
