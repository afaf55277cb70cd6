//! Whether the other nodes are heard, for whoever asks and for the log: a line when they no longer are, again from time to
//! time, and one when they are again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::metering::Metering;

/// How often the log says that the others are still not heard.
const REMINDER: Duration = Duration::from_mins(1);

/// Shared by everything that talks to Redis.
pub(crate) struct Status {
    heard: watch::Sender<bool>,
    /// The connection on which the others were heard last; 0 when they never were.
    generation: AtomicU64,
    trouble: Mutex<Option<Trouble>>,
    metering: Metering,
}

/// That Redis cannot be used, as the log says.
struct Trouble {
    since: Instant,
    said_at: Instant,
    reason: String,
}

impl Status {
    pub(crate) fn new(metering: Metering) -> Self {
        metering.connected.set(0.0);
        let (heard, _) = watch::channel(false);
        Self { heard, generation: AtomicU64::new(0), trouble: Mutex::new(None), metering }
    }

    /// The others are heard on this connection.
    pub(crate) fn heard(&self, generation: u64) {
        self.generation.store(generation, Ordering::Relaxed);
        self.metering.connected.set(1.0);
        self.heard.send_replace(true);
        if self.lock().take().is_some() {
            info!("Redis is back: other nodes are heard again");
        }
    }

    /// The others are no longer heard.
    pub(crate) fn deaf(&self) {
        self.metering.connected.set(0.0);
        self.heard.send_replace(false);
    }

    /// Redis cannot be used, for this reason. Said at once, and then every minute until the others are heard.
    pub(crate) fn report(&self, reason: &str) {
        let now = Instant::now();
        let mut trouble = self.lock();
        let Some(known) = trouble.as_mut() else {
            warn!(
                reason,
                "Redis is out of reach: what happens on other nodes is read from the database until it is back"
            );
            *trouble = Some(Trouble { since: now, said_at: now, reason: reason.to_owned() });
            return;
        };
        reason.clone_into(&mut known.reason);
        if now.duration_since(known.said_at) < REMINDER {
            return;
        }
        known.said_at = now;
        let seconds = now.duration_since(known.since).as_secs();
        if self.generation.load(Ordering::Relaxed) == 0 {
            warn!(
                reason,
                seconds,
                "Redis has not been reached since the start: other nodes cannot know of this one, and find what it \
                 writes only when they compare everything with the database"
            );
        } else {
            warn!(reason, seconds, "Redis is still out of reach");
        }
    }

    /// Why Redis cannot be used at the moment.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.lock().as_ref().map(|trouble| trouble.reason.clone())
    }

    pub(crate) fn is_heard(&self) -> bool {
        *self.heard.borrow()
    }

    /// Whether the others were heard on this connection.
    pub(crate) fn was_heard(&self, generation: u64) -> bool {
        self.generation.load(Ordering::Relaxed) == generation
    }

    /// Follows whether they are.
    pub(crate) fn watch(&self) -> watch::Receiver<bool> {
        self.heard.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Trouble>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_newest_reason_is_known_until_others_are_heard_and_repeated_every_minute() {
        let status = Status::new(Metering::new());
        let said_at = || status.lock().as_ref().map(|trouble| trouble.said_at);
        assert_eq!(status.trouble(), None);
        status.report("one");
        let first = said_at();
        tokio::time::advance(REMINDER / 2).await;
        status.report("another");
        assert_eq!((status.trouble().as_deref(), said_at()), (Some("another"), first));
        tokio::time::advance(REMINDER / 2).await;
        status.report("another");
        assert_ne!(said_at(), first);
        status.heard(1);
        assert_eq!(status.trouble(), None);
    }
}
