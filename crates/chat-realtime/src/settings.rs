//! The limits and times of the hub.

use std::time::Duration;

use crate::queue::QueueLimits;

/// How much the hub keeps and how long it waits. The defaults are those of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HubSettings {
    /// The most events that wait for one subscription; from half of it on, typing is dropped. At least 1.
    pub queue_events: u32,
    /// The most bytes that wait for one subscription, about; from half of it on, typing is dropped.
    pub queue_bytes: u32,
    /// The most bytes that wait for all subscriptions of a socket that has several, about. What is beyond it, they read
    /// from the log, one after the other.
    pub socket_bytes: usize,
    /// The most events that are replayed.
    pub replay_limit: u64,
    /// The most events read from the log at once. At least 1.
    pub page_events: u32,
    /// The most bytes read from the log at once, about; an event that weighs more comes alone.
    pub page_bytes: usize,
    /// The most events that one subscription buffers because they came out of order. Together they weigh at most as
    /// much as a page.
    pub early_events: usize,
    /// How long a subscription waits for a missing event before it reads the log.
    pub patience: Duration,
    /// How many locks the sessions are spread over. At least 1.
    pub shards: usize,
    /// The rules of typing.
    pub typing: TypingRules,
    /// When sessions are compared with the log.
    pub repair: RepairRules,
}

impl HubSettings {
    pub(crate) fn queue_limits(&self) -> QueueLimits {
        QueueLimits { events: self.queue_events, bytes: self.queue_bytes }
    }
}

impl Default for HubSettings {
    fn default() -> Self {
        Self {
            queue_events: 256,
            queue_bytes: 256 * 1024,
            socket_bytes: 1024 * 1024,
            replay_limit: 1_000,
            page_events: 100,
            page_bytes: 256 * 1024,
            early_events: 64,
            patience: Duration::from_millis(50),
            shards: 64,
            typing: TypingRules::default(),
            repair: RepairRules::default(),
        }
    }
}

/// When the sessions that have subscriptions on this node are compared with the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RepairRules {
    /// How long after a suspected gap the sessions concerned are compared, and how long the events that a session is
    /// found to lack may be under way before its subscriptions are sent to the log.
    pub patience: Duration,
    /// How often all sessions are compared.
    pub sweep: Duration,
    /// How often all sessions are compared while the other nodes are unreachable.
    pub sweep_unreachable: Duration,
    /// How long a query of the log may take; a longer one counts as failed.
    pub query_timeout: Duration,
    /// How long to wait after the log failed; doubled with each failure in a row.
    pub first_pause: Duration,
    /// The longest wait after the log failed.
    pub longest_pause: Duration,
}

impl Default for RepairRules {
    fn default() -> Self {
        Self {
            patience: Duration::from_millis(50),
            sweep: Duration::from_secs(15),
            sweep_unreachable: Duration::from_secs(1),
            query_timeout: Duration::from_secs(5),
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(5),
        }
    }
}

/// When sessions are read for the open inboxes of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InboxRules {
    /// How long to wait after a reading until the next one: what changes meanwhile is read together.
    pub gap: Duration,
    /// How often all views are read.
    pub sweep: Duration,
    /// How long after a sweep the next one is made when events may have been missed.
    pub sweep_suspect: Duration,
    /// How long a reading may take; a longer one counts as failed.
    pub read_timeout: Duration,
    /// How long to wait after a reading failed; doubled with each failure in a row.
    pub first_pause: Duration,
    /// The longest wait after a failure.
    pub longest_pause: Duration,
}

impl Default for InboxRules {
    fn default() -> Self {
        Self {
            gap: Duration::from_millis(40),
            sweep: Duration::from_mins(1),
            sweep_suspect: Duration::from_secs(5),
            read_timeout: Duration::from_secs(5),
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(5),
        }
    }
}

/// When typing is delivered and when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypingRules {
    /// How long after the last start typing ends.
    pub timeout: Duration,
    /// A person's typing in a session is delivered at most once in this time; an event that comes sooner waits.
    pub min_interval: Duration,
    /// How long the stop of a node waits for another node to contradict it.
    pub stop_delay: Duration,
    /// The most typists of one session; further ones are not shown.
    pub max_typists: usize,
}

impl TypingRules {
    /// How late an event of another node may come: it has waited there, and the transit takes time too.
    pub(crate) fn max_delay(&self) -> Duration {
        self.min_interval * 2
    }
}

impl Default for TypingRules {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            min_interval: Duration::from_secs(2),
            stop_delay: Duration::from_millis(250),
            max_typists: 32,
        }
    }
}
