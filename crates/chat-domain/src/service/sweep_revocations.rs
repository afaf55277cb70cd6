//! Forget sign-outs that refuse no token any more.

use std::time::Duration;

use super::ChatService;
use crate::error::Result;
use crate::model::RevocationVersion;

/// How many revocations are removed at a time: few, so that no other write waits long.
const BATCH: usize = 100;
/// How long a revocation stays at least. A node that cannot reach the database learns of no change; so long it may take
/// until it reads that a person is no longer blocked.
const KEPT_AT_LEAST: Duration = Duration::from_hours(24);

impl ChatService {
    /// Removes the revocations of people who are not blocked, and who were signed out or unblocked so long ago that each
    /// token of then has ended. Returns how many. To be called now and then; it may run on several nodes at once.
    ///
    /// # Errors
    /// What the store fails with. What was removed before it failed stays so.
    pub async fn sweep_revocations(&self) -> Result<usize> {
        let now = self.ports.clock.now();
        self.revocations.forget(now.minus(self.rules.max_token_lifetime));
        // A version is at least the moment of its change.
        let last = now.minus(self.rules.max_token_lifetime.max(KEPT_AT_LEAST));
        let last = RevocationVersion::ZERO.next(last);
        let mut removed = 0;
        loop {
            let batch = self.ports.revocations.remove_ended(last, BATCH).await?;
            removed += batch;
            if batch < BATCH {
                return Ok(removed);
            }
        }
    }
}
