//! How many sockets a person has open.

use async_trait::async_trait;

use crate::error::Result;
use crate::model::{Connection, ConnectionLimits};

/// Knows the open connections of everyone, on this node, and on all nodes as far as they can be asked.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait ConnectionRegistry: Send + Sync {
    /// Enters a connection.
    ///
    /// When its person already has `per_session` connections in its session, the oldest of these MUST end with
    /// `End::Replaced` and gives up its place. Of concurrent entries, no more than the limits allow MUST remain. When
    /// the other nodes cannot be asked, the limits hold for this node alone.
    ///
    /// # Errors
    /// `LimitReached`, entering and replacing nothing, when the person has `per_user` connections and none is replaced.
    async fn enter(&self, connection: &Connection, limits: ConnectionLimits) -> Result<()>;

    /// Removes a connection. MUST return at once; an unknown one is no error.
    fn leave(&self, connection: &Connection);
}
