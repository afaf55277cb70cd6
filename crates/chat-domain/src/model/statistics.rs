//! The support desk in four figures.

use std::time::Duration;

use super::Timestamp;

/// Counters over all sessions. Every one is kept up to date by the change that moves it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Sessions ever opened.
    pub total_sessions: u64,
    /// Sessions that are open.
    pub active_sessions: u64,
    /// Messages ever sent.
    pub messages: u64,
    /// Support messages that answered waiting customers.
    pub responses: u64,
    /// The sum of how long those customers had waited, in milliseconds.
    pub response_time_ms: u64,
}

impl Statistics {
    /// The mean response time in minutes; 0 when nothing has been answered yet.
    #[expect(clippy::cast_precision_loss, reason = "a mean in minutes needs no more than 53 bits")]
    pub fn average_response_minutes(&self) -> f64 {
        if self.responses == 0 {
            return 0.0;
        }
        self.response_time_ms as f64 / self.responses as f64 / 60_000.0
    }
}

/// The sessions that no agent has taken yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WaitingSessions {
    /// How many are open and have no agent.
    pub count: u64,
    /// When the oldest of them was opened.
    pub oldest: Option<Timestamp>,
}

/// What one or more changes add to the statistics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatisticsDelta {
    /// Sessions opened.
    pub opened: u64,
    /// Sessions closed.
    pub closed: u64,
    /// Messages sent.
    pub messages: u64,
    /// Waiting customers answered.
    pub responses: u64,
    /// How long they had waited, in milliseconds.
    pub response_time_ms: u64,
}

impl StatisticsDelta {
    /// Counts a message and, when it answers a waiting customer, how long they had waited.
    pub fn count_message(&mut self, response_time: Option<Duration>) {
        self.messages += 1;
        if let Some(waited) = response_time {
            self.responses += 1;
            self.response_time_ms += u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        }
    }

    /// Adds what other changes add.
    pub fn add(&mut self, other: &Self) {
        self.opened += other.opened;
        self.closed += other.closed;
        self.messages += other.messages;
        self.responses += other.responses;
        self.response_time_ms += other.response_time_ms;
    }

    /// Whether there is nothing to add.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
