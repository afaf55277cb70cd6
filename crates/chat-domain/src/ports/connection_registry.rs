//! How many sockets a person has open on a node.

use async_trait::async_trait;

use crate::error::Result;
use crate::model::{Connection, ConnectionLimits};

/// Knows the open connections of everyone on this node. Each node counts its own: what nodes would have to share for
/// more than that would be a second truth beside the database.
///
/// A connection's id is new with every `enter`; what becomes of an id that is there is left open. Both limits are at
/// least 1. Places are those of one person: nobody takes one of somebody else's.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait ConnectionRegistry: Send + Sync {
    /// Enters a connection.
    ///
    /// When its person already has `per_session` connections in its session, the oldest of these, which is the one with
    /// the least id, MUST end with `End::Replaced` and MUST give up its place at once. The one that enters stays,
    /// whatever its id: clocks are set back. It MUST be let in although the person has `per_user` connections, since
    /// their number does not grow. Of concurrent entries no more than the limits allow MUST remain, and no more than the
    /// surplus MUST be replaced.
    ///
    /// # Errors
    /// `LimitReached`, entering and replacing nothing, when the person has `per_user` connections and none is replaced.
    async fn enter(&self, connection: &Connection, limits: ConnectionLimits) -> Result<()>;

    /// Removes a connection. MUST return at once, and its place MUST be free from then on. One that is unknown, was
    /// replaced, or left before is no error and MUST free nothing.
    fn leave(&self, connection: &Connection);
}
