//! The timer of the runtime tokio. The only module beside the drivers that knows a runtime.

use std::time::Duration;

use tokio::time::Instant;

use crate::timer::{Sleep, Timer};

/// Waits on the runtime of the task that polls.
pub(crate) struct TokioTimer {
    started: Instant,
}

impl TokioTimer {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now() }
    }
}

impl Timer for TokioTimer {
    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn sleep(&self, time: Duration) -> Sleep {
        // Counted from the call, also when it is polled much later.
        let deadline = Instant::now() + time;
        Box::pin(async move { tokio::time::sleep_until(deadline).await })
    }
}
