//! How many sockets a person has open on a node.

use async_trait::async_trait;

use crate::error::Result;
use crate::model::{OpenSocket, SessionId, SocketId, SocketLimits};

/// Holds the open sockets of this node, by person. Each node counts its own: a count that nodes share would be a second
/// truth beside the database.
///
/// A socket's id is new with every `enter`; the effect of an id that is already there is unspecified. Both limits are
/// at least 1. They apply to each person apart.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait SocketRegistry: Send + Sync {
    /// Enters a socket, or a subscription of a socket that has no session of its own. A socket counts for its person; a
    /// subscription MUST NOT, so that it is never refused. Both count in their session. A socket without a session
    /// counts in none.
    ///
    /// If its person already has `per_session` sockets in its session, the oldest of these, which is the one with the
    /// least id, be it a subscription or not, MUST be closed with `StreamCloseReason::Replaced` and MUST free its place at once. The socket that
    /// enters stays, whatever its id: clocks are set back. It MUST be let in although the person has `per_user`
    /// sockets if it replaces one, since their number does not grow; not if it replaces a subscription. Of concurrent entries no more than the limits allow MUST remain, and
    /// no more than the surplus MUST be replaced.
    ///
    /// # Errors
    /// `LimitReached`, entering and replacing nothing, when the person has `per_user` sockets and none is replaced.
    async fn enter(&self, socket: &OpenSocket, limits: SocketLimits) -> Result<()>;

    /// Removes a socket. MUST return at once, and its place MUST be free from then on. A socket that is unknown, was
    /// replaced, or left before is no error and MUST free nothing.
    fn leave(&self, socket: &OpenSocket);
}

/// Closes the streams of sockets that a [`SocketRegistry`] replaced.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait SocketCloser: Send + Sync {
    /// A newer socket of the same person replaced this one, whose stream MUST be closed, also if it is opened only later.
    /// MUST return at once.
    fn close_replaced(&self, session: SessionId, socket: SocketId);
}
