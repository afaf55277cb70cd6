//! Events on their way to Redis: where publishers leave them, without ever waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chat_domain::model::LiveEvent;
use chat_domain::ports::Notifier;

use crate::link::Counters;
use crate::metering::Metering;
use crate::names::SHARDS;
use crate::queue::{self, Receiver, Sender};

/// The most bytes of events that wait for Redis.
const BYTES: usize = 16 << 20;

/// Where events are left for Redis.
#[derive(Clone)]
pub(crate) struct Outbox {
    queue: Sender<LiveEvent>,
    lost: Arc<Lost>,
    metering: Metering,
}

/// How many events of each shard found no room since the publisher last looked. They take a number all the same, so that
/// the other nodes find the gap.
pub(crate) struct Lost([AtomicU64; SHARDS as usize]);

impl Lost {
    /// Gives the lost events their numbers.
    pub(crate) fn count_into(&self, counters: &mut Counters) {
        for (counter, lost) in counters.iter_mut().zip(&self.0) {
            *counter += lost.swap(0, Ordering::Relaxed);
        }
    }
}

impl Outbox {
    /// An outbox for so many events, with its other end.
    pub(crate) fn new(length: usize, metering: Metering) -> (Self, Receiver<LiveEvent>, Arc<Lost>) {
        let (sender, receiver) = queue::bounded(length, BYTES);
        let lost = Arc::new(Lost(std::array::from_fn(|_| AtomicU64::new(0))));
        (Self { queue: sender, lost: Arc::clone(&lost), metering }, receiver, lost)
    }

    fn leave(&self, event: LiveEvent) {
        let (shard, weight) = (event.session_id().shard(SHARDS), event.weight());
        // Counted first: the other end may be quicker than we are.
        self.metering.waiting.increment(1.0);
        if self.queue.offer(event, weight) {
            return;
        }
        self.metering.waiting.decrement(1.0);
        self.metering.dropped.increment(1);
        if let Some(lost) = self.lost.0.get(usize::from(shard)) {
            lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Spreads events on this node, and then to the other nodes.
pub(crate) struct RedisNotifier {
    local: Arc<dyn Notifier>,
    outbox: Outbox,
}

impl RedisNotifier {
    pub(crate) fn new(local: Arc<dyn Notifier>, outbox: Outbox) -> Self {
        Self { local, outbox }
    }
}

impl Notifier for RedisNotifier {
    fn publish(&self, event: LiveEvent) {
        // A copy costs a fraction of an encoding, which is left to the task that talks to Redis.
        self.local.publish(event.clone());
        self.outbox.leave(event);
    }
}
