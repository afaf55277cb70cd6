//! The numbers of the hub.

use std::time::Duration;

use crate::queue::Limits;

/// How much the hub keeps and how long it waits. The defaults are those of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HubSettings {
    /// The most events that wait for one watcher; from half of it on, typing is dropped. At least 1.
    pub queue_events: u32,
    /// The most bytes that wait for one watcher, about; from half of it on, typing is dropped.
    pub queue_bytes: u32,
    /// The most events that a new watcher may have missed.
    pub replay_limit: u64,
    /// The most events read from the log at once. At least 1.
    pub page_events: u32,
    /// The most bytes read from the log at once, about; an event that weighs more comes alone.
    pub page_bytes: usize,
    /// The most events that one watcher keeps because they came before their turn. Together they weigh at most as much
    /// as a page.
    pub early_events: usize,
    /// How long a watcher waits for an event that is missing before it reads the log.
    pub patience: Duration,
    /// How many locks the sessions are spread over. At least 1.
    pub shards: usize,
    /// The rules of typing.
    pub typing: TypingRules,
    /// When sessions are compared with the log.
    pub repair: RepairRules,
}

impl HubSettings {
    pub(crate) fn queue_limits(&self) -> Limits {
        Limits { events: self.queue_events, bytes: self.queue_bytes }
    }
}

impl Default for HubSettings {
    fn default() -> Self {
        Self {
            queue_events: 256,
            queue_bytes: 256 * 1024,
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

/// When the sessions that are watched on this node are compared with the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RepairRules {
    /// How long after a loss the sessions concerned are compared, and how long one that was found behind may take to
    /// catch up by what is under way, before its watchers are told.
    pub patience: Duration,
    /// How often all sessions are compared.
    pub sweep: Duration,
    /// How often all sessions are compared while other nodes cannot be heard.
    pub sweep_unheard: Duration,
    /// How long the log may take to answer; later is the same as failing.
    pub answer: Duration,
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
            sweep_unheard: Duration::from_secs(1),
            answer: Duration::from_secs(5),
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(5),
        }
    }
}

/// When typing is shown and when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypingRules {
    /// After so long without a word, typing ends by itself.
    pub silence: Duration,
    /// Others are told of a person's typing in a session at most once in this time; a word that comes sooner waits.
    pub repeat: Duration,
    /// How long a node waits for another to object, when it hears that a typist's last stream somewhere has gone.
    pub objection: Duration,
    /// The most people shown as typing in one session; further ones are not shown.
    pub max_typists: usize,
}

impl TypingRules {
    /// How late a word of another node may come: it has waited there, and the way takes time too.
    pub(crate) fn late(&self) -> Duration {
        self.repeat * 2
    }
}

impl Default for TypingRules {
    fn default() -> Self {
        Self {
            silence: Duration::from_secs(10),
            repeat: Duration::from_secs(2),
            objection: Duration::from_millis(250),
            max_typists: 32,
        }
    }
}
