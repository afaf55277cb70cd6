//! Whether the other nodes are heard, for whoever asks and for the log: one line when they no longer are, one when they
//! are again.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::watch;
use tracing::{info, warn};

use crate::metering::Metering;

/// Shared by everything that talks to Redis.
pub(crate) struct Status {
    heard: watch::Sender<bool>,
    /// The connection on which the others were heard last.
    generation: AtomicU64,
    /// Whether the log says that they are not heard.
    reported: AtomicBool,
    metering: Metering,
}

impl Status {
    pub(crate) fn new(metering: Metering) -> Self {
        metering.connected.set(0.0);
        let (heard, _) = watch::channel(false);
        Self { heard, generation: AtomicU64::new(0), reported: AtomicBool::new(false), metering }
    }

    /// The others are heard on this connection.
    pub(crate) fn heard(&self, generation: u64) {
        self.generation.store(generation, Ordering::Relaxed);
        self.metering.connected.set(1.0);
        self.heard.send_replace(true);
        if self.reported.swap(false, Ordering::Relaxed) {
            info!("Redis is back: other nodes are heard again");
        }
    }

    /// The others are no longer heard.
    pub(crate) fn deaf(&self) {
        self.metering.connected.set(0.0);
        self.heard.send_replace(false);
    }

    /// Redis cannot be used, for this reason. Said once until the others are heard.
    pub(crate) fn report(&self, reason: &str) {
        if !self.reported.swap(true, Ordering::Relaxed) {
            warn!(
                reason,
                "Redis is out of reach: what happens on other nodes is read from the database until it is back"
            );
        }
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
}
