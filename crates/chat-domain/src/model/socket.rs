//! An open socket, as the rules about their number see it.

use super::{SessionId, SocketId, UserId};

/// A socket that a person has open, or the subscription of a multiplexed socket to one session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OpenSocket {
    /// Its id, in time order among all sockets.
    pub id: SocketId,
    /// The session that it is subscribed to; `None` for a socket whose subscriptions count apart from it.
    pub session_id: Option<SessionId>,
    /// Whose it is.
    pub user_id: UserId,
    /// Whether it is a subscription of such a socket: then it counts in its session, and not among the person's sockets.
    pub is_subscription: bool,
}

/// How many sockets a person may have open at a time, on one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketLimits {
    /// In one session, with the subscriptions to it. One more replaces the oldest of them.
    pub per_session: usize,
    /// In all sessions and in none. One more is refused, unless it replaces another.
    pub per_user: usize,
}

impl Default for SocketLimits {
    fn default() -> Self {
        Self { per_session: 10, per_user: 50 }
    }
}
