//! Which agents have sockets on this node, and the end of the sockets of those who were deactivated, on whichever node or
//! with whichever tool.

use super::ChatService;
use super::person_sockets::CloseSignal;
use crate::error::Result;
use crate::model::{AgentId, Role, UserId};
use crate::ports::StreamCloseReason;

/// How many agents the directory is asked about at a time.
const BATCH: usize = 256;

impl ChatService {
    /// Closes the sockets on this node whose agents are deactivated in the directory, and returns how many. To be
    /// called every second or so: it costs one query of the directory, or none while no agent has a socket here.
    ///
    /// # Errors
    /// What the directory fails with.
    pub async fn close_sockets_of_deactivated_agents(&self) -> Result<usize> {
        let mut closed = 0;
        for agents in self.person_sockets.agents().chunks(BATCH) {
            for agent in self.ports.agents.deactivated_among(agents.to_vec()).await? {
                closed += self.close_sockets_of_agent(&agent);
            }
        }
        Ok(closed)
    }

    /// Closes the sockets on this node of an agent who is deactivated. Those that they have in another role stay open.
    pub(super) fn close_sockets_of_agent(&self, agent: &AgentId) -> usize {
        let reason =
            |socket: &CloseSignal| (socket.role() == Role::Agent).then_some(StreamCloseReason::AgentDeactivated);
        self.person_sockets.close(&UserId::from(agent), reason)
    }

    /// How many agents have an open socket on this node.
    pub fn agents_online(&self) -> usize {
        self.person_sockets.agents().len()
    }
}
