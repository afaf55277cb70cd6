//! When agents last had an inbox open, at whichever node.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use async_trait::async_trait;

use crate::error::Result;
use crate::model::AgentId;

/// Keeps one time for each agent who ever had an inbox open. Every node writes it for the agents who have one open there,
/// again and again, and no node takes anything back: what is not repeated grows old.
///
/// Times are those of the store's clock, which is one for all nodes. A node says how long ago something was and learns how
/// long ago something was, so that it does not matter what its own clock says.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait PresenceStore: Send + Sync {
    /// Takes note that these agents had an inbox open so long ago. Of one agent the newest time MUST stay, in whichever
    /// order nodes note it. They MUST be noted by one transaction, and with one statement where a statement costs a round
    /// trip. Nodes that note the same agents at once MUST NOT make each other fail. An agent need not be in the directory.
    ///
    /// # Errors
    /// `Unavailable` also when it is unknown whether it was noted. To note it again does no harm.
    async fn note(&self, seen: BTreeMap<AgentId, Duration>) -> Result<()>;

    /// How long ago these agents had an inbox open; who never had one MUST NOT be in it. A time that is ahead of the
    /// store's clock, which was set back since, MUST count as if it were as long ago as it is ahead: it ends like any
    /// other. Its cost MUST NOT grow with the number of agents that are not asked for, and it MUST NOT write.
    async fn last_seen(&self, agents: Vec<AgentId>) -> Result<HashMap<AgentId, Duration>>;
}
