//! How many sockets a person has open on this node.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::error::{LimitReached, Result};
use chat_domain::model::{Connection, ConnectionId, ConnectionLimits, SessionId, UserId};
use chat_domain::ports::{ConnectionRegistry, EventSink};

use crate::sync::{Mutex, lock};

/// How many locks the people are spread over.
const SHARDS: usize = 16;

/// The connections of one part of the people; no list is empty.
type People = HashMap<UserId, Vec<(ConnectionId, SessionId)>>;

/// The registry of a node's connections.
pub struct LocalConnections {
    shards: [Mutex<People>; SHARDS],
    hasher: RandomState,
    sink: Arc<dyn EventSink>,
}

impl LocalConnections {
    /// A registry without connections. The sink, usually the hub, ends those that are replaced.
    pub fn new(sink: Arc<dyn EventSink>) -> Arc<Self> {
        Arc::new(Self { shards: Default::default(), hasher: RandomState::new(), sink })
    }

    /// How many connections are entered.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|people| lock(people).values().map(Vec::len).sum::<usize>()).sum()
    }

    /// Whether no connection is entered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[expect(clippy::indexing_slicing, reason = "the remainder of a division by the length")]
    fn shard(&self, user: &UserId) -> &Mutex<People> {
        let hash = self.hasher.hash_one(user);
        &self.shards[usize::try_from(hash % SHARDS as u64).unwrap_or(0)]
    }
}

#[async_trait]
impl ConnectionRegistry for LocalConnections {
    async fn enter(&self, connection: &Connection, limits: ConnectionLimits) -> Result<()> {
        let replaced = enter(&mut lock(self.shard(&connection.user_id)), connection, limits)?;
        for id in replaced {
            self.sink.replaced(connection.session_id, id);
        }
        Ok(())
    }

    fn leave(&self, connection: &Connection) {
        let mut people = lock(self.shard(&connection.user_id));
        let Some(theirs) = people.get_mut(&connection.user_id) else { return };
        theirs.retain(|(id, _)| *id != connection.id);
        if theirs.is_empty() {
            people.remove(&connection.user_id);
            if people.len() < people.capacity() / 4 {
                let room = people.len() * 2;
                people.shrink_to(room);
            }
        }
    }
}

/// Enters a connection and answers with those that gave way to it.
fn enter(
    people: &mut People,
    connection: &Connection,
    limits: ConnectionLimits,
) -> Result<Vec<ConnectionId>, LimitReached> {
    let session = connection.session_id;
    let theirs = people.get(&connection.user_id).map(Vec::as_slice).unwrap_or_default();
    let mut in_session: Vec<ConnectionId> =
        theirs.iter().filter(|(_, theirs)| *theirs == session).map(|(id, _)| *id).collect();
    // Names of connections are in time order.
    in_session.sort_unstable();
    let excess = (in_session.len() + 1).saturating_sub(limits.per_session);
    in_session.truncate(excess);
    let replaced = in_session;
    if theirs.len() - replaced.len() >= limits.per_user {
        return Err(LimitReached::Connections { limit: limits.per_user });
    }
    let theirs = people.entry(connection.user_id.clone()).or_default();
    theirs.retain(|(id, _)| !replaced.contains(id));
    // Most people have one: room for four would be the larger part of what a connection takes.
    theirs.reserve_exact(1);
    theirs.push((connection.id, session));
    Ok(replaced)
}
