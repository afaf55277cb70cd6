//! Write down which agents have an inbox open on this node.

use std::time::Instant;

use super::ChatService;
use crate::error::Result;

impl ChatService {
    /// Takes note, in the store that all nodes read, of the agents who have opened an inbox on this node or closed their last
    /// one since the last call, and every 20 seconds of all who have one open. Returns how many. To be called every second
    /// or so, with the monotonic time: it costs one statement, or none while there is nothing to note. What could not be
    /// noted is noted by a later call.
    ///
    /// # Errors
    /// What the store fails with.
    pub async fn report_presence(&self, now: Instant) -> Result<usize> {
        let due = self.present_agents.take_due(now);
        if due.is_empty() {
            return Ok(0);
        }
        match self.ports.presence.note(due.clone()).await {
            Ok(()) => {
                self.present_agents.noted(&due);
                Ok(due.len())
            }
            Err(error) => {
                self.present_agents.failed(&due);
                Err(error)
            }
        }
    }
}
