//! How often readiness writes to the database.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chat_domain::Result;

/// A write that succeeded counts for this long. Each one is a commit, which a small disk feels every second; a database
/// that has become full or read-only is noticed so much later.
const COUNTS_FOR: Duration = Duration::from_secs(5);

/// Lets one write of a probe through now and then, and each one after a failure.
#[derive(Debug)]
pub struct WriteProbe {
    counts_for: Duration,
    succeeded: Mutex<Option<Instant>>,
}

impl Default for WriteProbe {
    fn default() -> Self {
        Self { counts_for: COUNTS_FOR, succeeded: Mutex::default() }
    }
}

impl WriteProbe {
    /// Writes, unless a write succeeded within the last seconds.
    ///
    /// # Errors
    /// What `write` fails with.
    pub async fn run(&self, write: impl Future<Output = Result<()>>) -> Result<()> {
        let last = *self.succeeded.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|at| at.elapsed() < self.counts_for) {
            return Ok(());
        }
        let outcome = write.await;
        let now = outcome.is_ok().then(Instant::now);
        *self.succeeded.lock().unwrap_or_else(PoisonError::into_inner) = now;
        outcome
    }
}

#[cfg(test)]
mod tests {
    use chat_domain::ChatError;

    use super::*;

    async fn attempt(probe: &WriteProbe, writes: &mut u32, works: bool) -> bool {
        let write = async {
            *writes += 1;
            if works { Ok(()) } else { Err(ChatError::unavailable("a full disk")) }
        };
        probe.run(write).await.is_ok()
    }

    #[tokio::test]
    async fn a_write_counts_for_a_while_and_a_failure_never() {
        let mut writes = 0;
        let patient = WriteProbe { counts_for: Duration::MAX, ..WriteProbe::default() };
        for (works, expected, so_far) in [(false, false, 1), (false, false, 2), (true, true, 3), (false, true, 3)] {
            assert_eq!(attempt(&patient, &mut writes, works).await, expected);
            assert_eq!(writes, so_far);
        }
        let eager = WriteProbe { counts_for: Duration::ZERO, ..WriteProbe::default() };
        assert!(attempt(&eager, &mut writes, true).await && !attempt(&eager, &mut writes, false).await);
    }
}
