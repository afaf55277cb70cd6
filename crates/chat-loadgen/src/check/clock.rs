//! The clock of a run.

use std::cell::Cell;
use std::time::Instant;

/// The clock of a run, and whether writers shall stop.
#[derive(Debug)]
pub(super) struct RunClock {
    started: Instant,
    over_since: Cell<Option<Instant>>,
}

impl RunClock {
    pub(super) fn start() -> Self {
        Self { started: Instant::now(), over_since: Cell::new(None) }
    }

    /// From now on the run is over.
    pub(super) fn end(&self) {
        self.over_since.set(Some(Instant::now()));
    }

    /// Microseconds since the start.
    pub(super) fn now_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    pub(super) fn over_since(&self) -> Option<Instant> {
        self.over_since.get()
    }
}
