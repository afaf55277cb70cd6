//! Watches that a long body gets on and ends: a sender who trickles single bytes would hold a connection forever.

use std::time::Duration;

use chat_domain::error::{Invalid, Result};
use tokio::time::{Instant, timeout_at};

/// A sender must get this far in every window, else the body is given up.
pub(crate) const PACE_WINDOW: Duration = Duration::from_secs(30);
/// On average over a window.
pub(crate) const MIN_BYTES_PER_SECOND: usize = 8 * 1024;
const MIN_BYTES_PER_WINDOW: usize = 30 * MIN_BYTES_PER_SECOND;
const _: () = assert!(PACE_WINDOW.as_secs() == 30, "the bytes are those of the window");

/// How a body gets on.
pub(super) struct MinimumRate {
    window_ends: Instant,
    received: usize,
    ends: Instant,
    time_limit: Duration,
}

impl MinimumRate {
    pub(super) fn start(time_limit: Duration) -> Self {
        let now = Instant::now();
        Self { window_ends: now + PACE_WINDOW, received: 0, ends: now + time_limit, time_limit }
    }

    pub(super) fn progress(&mut self, bytes: usize) {
        self.received += bytes;
    }

    /// Waits for the network, window after window, as long as enough arrives in each and the whole has time left.
    pub(super) async fn wait<T>(&mut self, next: impl Future<Output = T>) -> Result<T> {
        let mut next = std::pin::pin!(next);
        loop {
            // A steady stream never lets the timer run out.
            if Instant::now() >= self.ends {
                let seconds = self.time_limit.as_secs();
                return Err(Invalid::new("body", format!("must arrive within {seconds} seconds as a whole")).into());
            }
            match timeout_at(self.window_ends.min(self.ends), &mut next).await {
                Ok(value) => return Ok(value),
                Err(_elapsed) if Instant::now() >= self.ends => {}
                Err(_elapsed) if self.received >= MIN_BYTES_PER_WINDOW => {
                    self.window_ends = Instant::now() + PACE_WINDOW;
                    self.received = 0;
                }
                Err(_elapsed) => {
                    let kib = MIN_BYTES_PER_SECOND / 1024;
                    return Err(Invalid::new("body", format!("must arrive at {kib} KiB per second or faster")).into());
                }
            }
        }
    }
}
