//! Who people are beside their ids.

use std::time::Duration;

use async_trait::async_trait;

use crate::error::Result;
use crate::model::{KnownPeople, UserId};

/// How long a node may show a person as it remembers them, after they have changed through another node.
pub const MAX_PEOPLE_AGE: Duration = Duration::from_mins(1);

/// Looks people up. They enter with the writes of sessions: see [`Effects::people`](crate::write::Effects::people).
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait PeopleDirectory: Send + Sync {
    /// What is known of these people, of whom some may be named several times. A name that the directory of agents has for
    /// a person MUST come before that of their tokens. What was committed through the same node MUST be found; what was
    /// committed through another node MUST be found within [`MAX_PEOPLE_AGE`]. A look-up MUST cost one statement at
    /// most, by the ids that the node does not remember, and MUST NOT write.
    async fn find(&self, ids: Vec<UserId>) -> Result<KnownPeople>;
}
