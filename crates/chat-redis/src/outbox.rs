//! The queue of events to Redis. Publishers never wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chat_domain::model::LiveEvent;
use chat_domain::ports::Notifier;
use chat_realtime::{PeerEvent, PeerNotifier, PeerTyping, session_shard};

use crate::failure_detector::ShardCounters;
use crate::metering::RedisMetrics;
use crate::names::SHARDS;
use crate::queue::{self, QueueReceiver, QueueSender};

/// The most bytes of events that wait for Redis.
const BYTES: usize = 16 << 20;

/// The end of the queue that publishers use.
#[derive(Clone)]
pub(crate) struct Outbox {
    queue: QueueSender<PeerEvent>,
    dropped: Arc<DroppedCounts>,
    metering: RedisMetrics,
}

/// How many events of each shard were dropped because the queue was full, since the connection last numbered events.
/// They take a number all the same, so that the other nodes find the gap.
pub(crate) struct DroppedCounts([AtomicU64; SHARDS as usize]);

impl DroppedCounts {
    /// Numbers the dropped events.
    pub(crate) fn count_into(&self, counters: &mut ShardCounters) {
        for (counter, dropped) in counters.iter_mut().zip(&self.0) {
            *counter += dropped.swap(0, Ordering::Relaxed);
        }
    }
}

impl Outbox {
    /// An outbox of this length, with its other end.
    pub(crate) fn new(length: usize, metering: RedisMetrics) -> (Self, QueueReceiver<PeerEvent>, Arc<DroppedCounts>) {
        let (sender, receiver) = queue::bounded(length, BYTES);
        let dropped = Arc::new(DroppedCounts(std::array::from_fn(|_| AtomicU64::new(0))));
        (Self { queue: sender, dropped: Arc::clone(&dropped), metering }, receiver, dropped)
    }

    fn enqueue(&self, event: PeerEvent) {
        let (shard, weight) = (session_shard(event.session_id(), SHARDS), event.bytes());
        // Counted first: the other end may be quicker.
        self.metering.waiting.increment(1.0);
        if self.queue.try_push(event, weight) {
            return;
        }
        self.metering.waiting.decrement(1.0);
        self.metering.dropped.increment(1);
        if let Some(dropped) = self.dropped.0.get(usize::from(shard)) {
            dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Publishes events on this node, and then to the other nodes.
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
        // A copy costs a fraction of an encoding, which is left to the connection task.
        self.local.publish(event.clone());
        self.outbox.enqueue(event.into());
    }
}

/// Publishes a hub's typing events to the other nodes.
impl PeerNotifier for Outbox {
    fn publish(&self, event: PeerTyping) {
        self.enqueue(PeerEvent::Typing(event));
    }
}
