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
    /// Messages of other nodes that this version cannot read.
    pub(crate) unreadable: Counter,
    /// Times that events may have been missed.
    pub(crate) gaps: Counter,
    /// Messages that found the reader's queue full.
    pub(crate) overflows: Counter,
    /// Events that wait for Redis.
    pub(crate) waiting: Gauge,
    /// Events in one pipeline.
    pub(crate) batch: Histogram,
    /// Messages that are not believed, by the reason, in the order of [`Rejection::ALL`]. Looking one up in the registry
    /// for each of them would cost more than refusing it.
    rejected: [Counter; Rejection::ALL.len()],
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
            rejected: Rejection::ALL
                .map(|rejection| counter!("chat_redis_rejected_total", "reason" => rejection.as_str())),
        }
    }

    /// Counts a message that is not believed.
    pub(crate) fn rejected(&self, rejection: Rejection) {
        let handles = Rejection::ALL.iter().zip(&self.rejected);
        handles.filter(|(known, _)| **known == rejection).for_each(|(_, counter)| counter.increment(1));
    }
}

/// Why a message in Redis is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejection {
    /// It is larger than anything that a node says.
    TooLarge,
    /// It is none of a node's.
    Malformed,
    /// It was not signed under our key, or for another channel.
    Signature,
    /// It is of another database, such as a copy of ours.
    Database,
    /// It is of another epoch of the database.
    Epoch,
    /// It was said too long ago, or will be: or the clocks of two nodes differ.
    Stale,
    /// It was heard before, or a later one.
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
