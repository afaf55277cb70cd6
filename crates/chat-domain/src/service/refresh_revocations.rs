//! Learn whose access was ended, on whichever node.

use super::ChatService;
use crate::error::Result;

/// How many revocations are read at a time.
const PAGE: usize = 1_000;

impl ChatService {
    /// Reads what has changed since the last time, and closes the sockets on this node whose people have no access any
    /// more. Returns how many. To be called before the first request is served, and then every second or so: it costs
    /// one look-up in an index.
    ///
    /// # Errors
    /// What the store fails with. What was read before it failed counts.
    pub async fn refresh_revocations(&self) -> Result<usize> {
        let mut closed = 0;
        loop {
            let page = self.ports.revocations.changed_since(self.revocations.read_up_to(), PAGE).await?;
            // No token is accepted that lives longer, so none of before can still be.
            let oldest_token = self.ports.clock.now().minus(self.rules.max_token_lifetime);
            self.revocations.note_read(&page, oldest_token);
            closed += page.iter().map(|revocation| self.close_revoked_sockets(revocation)).sum::<usize>();
            if page.len() < PAGE {
                return Ok(closed);
            }
        }
    }

    /// How many people this node knows to be signed out or blocked.
    pub fn revocation_count(&self) -> usize {
        self.revocations.count()
    }
}
