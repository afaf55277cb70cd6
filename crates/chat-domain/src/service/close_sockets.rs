//! Close all sockets, because the node stops.

use super::ChatService;

impl ChatService {
    /// Closes every open socket with `StreamCloseReason::NodeStopping`, and each that is opened later. The streams of
    /// sessions are closed by the hub: this is for sockets that have none at the moment.
    pub fn close_sockets(&self) {
        self.person_sockets.stop();
    }
}
