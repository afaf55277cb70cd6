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

/// How often at most it says that the reason is another one, as when several servers fail in turn.
const NEW_REASON: Duration = Duration::from_secs(10);

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
    /// The newest one.
    reason: String,
    /// The one that the log knows.
    said: String,
}

impl Status {
    pub(crate) fn new(metering: Metering) -> Self {
        metering.connected.set(0.0);
        let (heard, _) = watch::channel(false);
        Self { heard, generation: AtomicU64::new(0), trouble: Mutex::new(None), metering }
    }

    /// The others are heard on this connection.
    pub(crate) fn heard(&self, generation: u64) {
        let is_first = self.generation.swap(generation, Ordering::Relaxed) == 0;
        self.metering.connected.set(1.0);
        self.heard.send_replace(true);
        if self.lock().take().is_some() {
            info!("Redis is back: other servers are heard again");
        } else if is_first {
            info!("Redis is connected: other servers are heard");
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
                "Redis cannot be used: what happens on other servers is read from the database until it is back; it is \
                 named by --redis-url (CHAT_REDIS_URL)"
            );
            *trouble = Some(Trouble { since: now, said_at: now, reason: reason.to_owned(), said: reason.to_owned() });
            return;
        };
        reason.clone_into(&mut known.reason);
        let silence = if known.said == reason { REMINDER } else { NEW_REASON };
        if now.duration_since(known.said_at) < silence {
            return;
        }
        known.said_at = now;
        reason.clone_into(&mut known.said);
        let seconds = now.duration_since(known.since).as_secs();
        if self.generation.load(Ordering::Relaxed) == 0 {
            warn!(
                reason,
                seconds,
                "Redis could not be used since the start: other servers cannot know of this one, and find what it \
                 writes only when they compare everything with the database"
            );
        } else {
            warn!(reason, seconds, "Redis still cannot be used");
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
        status.report("one");
        assert_eq!((status.trouble().as_deref(), said_at()), (Some("one"), first));
        tokio::time::advance(REMINDER / 2).await;
        status.report("one");
        assert_ne!(said_at(), first);
        status.heard(1);
        assert_eq!(status.trouble(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn another_reason_is_said_soon_but_not_in_a_loop() {
        let status = Status::new(Metering::new());
        let said = || status.lock().as_ref().map(|trouble| trouble.said.clone());
        status.report("one");
        status.report("another");
        assert_eq!((status.trouble().as_deref(), said().as_deref()), (Some("another"), Some("one")));
        tokio::time::advance(NEW_REASON).await;
        status.report("another");
        status.report("one");
        assert_eq!(said().as_deref(), Some("another"));
    }
}
