//! An open socket of a person, as the rules about their number see it.

use super::{ConnectionId, SessionId, UserId};

/// A socket by which a person watches a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Connection {
    /// Its name, in time order among all connections.
    pub id: ConnectionId,
    /// What it watches.
    pub session_id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
}

/// How many sockets a person may have open at a time, on one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// In one session. One more replaces the oldest of them.
    pub per_session: usize,
    /// In all sessions. One more is refused, unless it replaces another.
    pub per_user: usize,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self { per_session: 10, per_user: 50 }
    }
}
