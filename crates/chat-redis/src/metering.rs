//! The metrics of the fan-out.

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

/// Handles of all metrics of the fan-out, which are named only here.
#[derive(Clone)]
pub(crate) struct RedisMetrics {
    /// 1 while the other nodes are reachable, else 0.
    pub(crate) reachable: Gauge,
    /// Connections for events that were lost.
    pub(crate) reconnects: Counter,
    /// Events published to Redis.
    pub(crate) published: Counter,
    /// Events that were dropped, and that the other nodes find as a gap by the counters.
    pub(crate) dropped: Counter,
    /// Events of other nodes.
    pub(crate) received: Counter,
    /// Messages of other nodes that this version cannot read.
    pub(crate) unreadable: Counter,
    /// Suspected gaps.
    pub(crate) gaps: Counter,
    /// Messages that were dropped because the inbox was full.
    pub(crate) overflows: Counter,
    /// Events that wait for Redis.
    pub(crate) waiting: Gauge,
    /// Events in one pipeline.
    pub(crate) batch: Histogram,
    /// Rejected messages by reason, in the order of [`Rejection::ALL`]. A look-up in the registry for each of them
    /// would cost more than the rejection.
    rejected: [Counter; Rejection::ALL.len()],
}

impl RedisMetrics {
    pub(crate) fn new() -> Self {
        Self {
            reachable: gauge!("chat_redis_peers_reachable"),
            reconnects: counter!("chat_redis_reconnects_total"),
            published: counter!("chat_redis_published_total"),
            dropped: counter!("chat_redis_dropped_total"),
            received: counter!("chat_redis_received_total"),
            unreadable: counter!("chat_redis_unreadable_total"),
            gaps: counter!("chat_redis_gaps_total"),
            overflows: counter!("chat_redis_overflows_total"),
            waiting: gauge!("chat_redis_queue_length"),
            batch: histogram!("chat_redis_publish_batch_size"),
            rejected: Rejection::ALL
                .map(|rejection| counter!("chat_redis_rejected_total", "reason" => rejection.as_str())),
        }
    }

    /// Counts a rejected message.
    pub(crate) fn rejected(&self, rejection: Rejection) {
        let handles = Rejection::ALL.iter().zip(&self.rejected);
        handles.filter(|(known, _)| **known == rejection).for_each(|(_, counter)| counter.increment(1));
    }
}

/// Why a message in Redis is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejection {
    /// It is larger than any message of a node.
    TooLarge,
    /// It has not the form of a message.
    Malformed,
    /// It was not signed under this database's key, or for another channel.
    Signature,
    /// It is of another database, such as a copy.
    Database,
    /// It is of another epoch of the database.
    Epoch,
    /// It was sent too long ago or in the future, or the clocks of two nodes differ.
    Stale,
    /// It, or a later one, was received before.
    Replayed,
}

impl Rejection {
    /// All of them.
    pub(crate) const ALL: [Self; 7] =
        [Self::TooLarge, Self::Malformed, Self::Signature, Self::Database, Self::Epoch, Self::Stale, Self::Replayed];

    /// Its name in metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
            Self::Signature => "signature",
            Self::Database => "database",
            Self::Epoch => "epoch",
            Self::Stale => "stale",
            Self::Replayed => "replayed",
        }
    }
}
