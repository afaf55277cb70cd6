//! The figures of the way to the other nodes, as metrics.

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

/// Handles of all metrics of the fan-out. Named once, here.
#[derive(Clone)]
pub(crate) struct Metering {
    /// 1 while the other nodes are heard, else 0.
    pub(crate) connected: Gauge,
    /// Connections for events that were lost.
    pub(crate) reconnects: Counter,
    /// Events handed to Redis.
    pub(crate) published: Counter,
    /// Events that were not, and that the other nodes find by their counters.
    pub(crate) dropped: Counter,
    /// Events of other nodes.
    pub(crate) received: Counter,
    /// Messages that could not be read.
    pub(crate) unreadable: Counter,
    /// Times that events may have been missed.
    pub(crate) gaps: Counter,
    /// Messages that found the reader's queue full.
    pub(crate) overflows: Counter,
    /// Events that wait for Redis.
    pub(crate) waiting: Gauge,
    /// Events in one pipeline.
    pub(crate) batch: Histogram,
}

impl Metering {
    pub(crate) fn new() -> Self {
        Self {
            connected: gauge!("chat_redis_connected"),
            reconnects: counter!("chat_redis_reconnects_total"),
            published: counter!("chat_redis_published_total"),
            dropped: counter!("chat_redis_dropped_total"),
            received: counter!("chat_redis_received_total"),
            unreadable: counter!("chat_redis_unreadable_total"),
            gaps: counter!("chat_redis_gaps_total"),
            overflows: counter!("chat_redis_overflows_total"),
            waiting: gauge!("chat_redis_queue_length"),
            batch: histogram!("chat_redis_publish_batch_size"),
        }
    }
}
