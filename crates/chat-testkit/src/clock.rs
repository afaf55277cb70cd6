//! A clock that stands still until a test moves it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chat_domain::model::Timestamp;
use chat_domain::ports::Clock;

use crate::fixtures;

/// A clock that a test controls. It starts at [`fixtures::START`].
#[derive(Debug)]
pub struct FixedClock {
    now: Mutex<Timestamp>,
    step: Duration,
}

impl FixedClock {
    /// A clock that moves only by `advance`.
    pub fn new() -> Self {
        Self::ticking(Duration::ZERO)
    }

    /// A clock that moves by `step` each time it has been asked, so that no two answers are the same.
    pub fn ticking(step: Duration) -> Self {
        Self { now: Mutex::new(fixtures::start()), step }
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.move_by(by);
    }

    /// Moves the clock and tells the time from before.
    fn move_by(&self, by: Duration) -> Timestamp {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *now;
        *now = before.plus(by);
        before
    }
}

impl Default for FixedClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.move_by(self.step)
    }
}
