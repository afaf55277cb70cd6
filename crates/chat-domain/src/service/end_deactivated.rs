//! End the sockets of agents who were deactivated, whichever node or tool did that.

use super::ChatService;
use crate::error::Result;

/// How many agents the directory is asked about at a time.
const BATCH: usize = 256;

impl ChatService {
    /// Ends the sockets on this node whose agents the directory has deactivated, and returns how many. To be called every
    /// second or so: it costs one question of the directory, or none while no agent has a socket here.
    ///
    /// # Errors
    /// What the directory fails with.
    pub async fn end_sockets_of_deactivated_agents(&self) -> Result<usize> {
        let mut ended = 0;
        for agents in self.agent_sockets.agents().chunks(BATCH) {
            for agent in self.ports.agents.deactivated_among(agents.to_vec()).await? {
                ended += self.agent_sockets.end_all_of(&agent);
            }
        }
        Ok(ended)
    }
}
