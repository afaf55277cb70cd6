//! An open socket, as the rules about their number see it.

use super::{SessionId, SocketId, UserId};

/// A socket that a person has open in a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OpenSocket {
    /// Its id, in time order among all sockets.
    pub id: SocketId,
    /// The session that it is subscribed to.
    pub session_id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
}

/// How many sockets a person may have open at a time, on one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketLimits {
    /// In one session. One more replaces the oldest of them.
    pub per_session: usize,
    /// In all sessions. One more is refused, unless it replaces another.
    pub per_user: usize,
}

impl Default for SocketLimits {
    fn default() -> Self {
        Self { per_session: 10, per_user: 50 }
    }
}
