//! How many sockets a person has open on this node.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::error::{LimitReached, Result};
use chat_domain::model::{OpenSocket, SessionId, SocketId, SocketLimits, UserId};
use chat_domain::ports::{SocketCloser, SocketRegistry};

use crate::sync::{Mutex, lock};

/// How many locks the users are spread over.
const SHARDS: usize = 16;

/// The sockets of some of the users; no list is empty.
type SocketsByUser = HashMap<UserId, Vec<EnteredSocket>>;

/// What counts of a socket.
#[derive(Clone, Copy)]
struct EnteredSocket {
    id: SocketId,
    session: Option<SessionId>,
    is_subscription: bool,
}

/// The registry of a node's sockets.
pub struct LocalSockets {
    shards: [Mutex<SocketsByUser>; SHARDS],
    hasher: RandomState,
    closer: Arc<dyn SocketCloser>,
}

impl LocalSockets {
    /// A registry without sockets. The closer, usually the hub, closes those that are replaced.
    pub fn new(closer: Arc<dyn SocketCloser>) -> Arc<Self> {
        Arc::new(Self { shards: Default::default(), hasher: RandomState::new(), closer })
    }

    /// How many sockets are entered.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|users| lock(users).values().map(Vec::len).sum::<usize>()).sum()
    }

    /// Whether no socket is entered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[expect(clippy::indexing_slicing, reason = "the remainder of a division by the length")]
    fn shard(&self, user: &UserId) -> &Mutex<SocketsByUser> {
        let hash = self.hasher.hash_one(user);
        &self.shards[usize::try_from(hash % SHARDS as u64).unwrap_or(0)]
    }
}

#[async_trait]
impl SocketRegistry for LocalSockets {
    async fn enter(&self, socket: &OpenSocket, limits: SocketLimits) -> Result<()> {
        let replaced = enter(&mut lock(self.shard(&socket.user_id)), socket, limits)?;
        for id in replaced {
            if let Some(session) = socket.session_id {
                self.closer.close_replaced(session, id);
            }
        }
        Ok(())
    }

    fn leave(&self, socket: &OpenSocket) {
        let mut users = lock(self.shard(&socket.user_id));
        let Some(theirs) = users.get_mut(&socket.user_id) else { return };
        theirs.retain(|entered| entered.id != socket.id);
        if theirs.is_empty() {
            users.remove(&socket.user_id);
            if users.len() < users.capacity() / 4 {
                let room = users.len() * 2;
                users.shrink_to(room);
            }
        }
    }
}

/// Enters a socket and returns those that it replaced.
fn enter(users: &mut SocketsByUser, socket: &OpenSocket, limits: SocketLimits) -> Result<Vec<SocketId>, LimitReached> {
    let session = socket.session_id;
    let theirs = users.get(&socket.user_id).map(Vec::as_slice).unwrap_or_default();
    let mut in_session: Vec<EnteredSocket> =
        theirs.iter().filter(|entered| session.is_some() && entered.session == session).copied().collect();
    // Ids of sockets are in time order.
    in_session.sort_unstable_by_key(|entered| entered.id);
    let excess = (in_session.len() + 1).saturating_sub(limits.per_session);
    in_session.truncate(if session.is_some() { excess } else { 0 });
    let replaced: Vec<SocketId> = in_session.iter().map(|entered| entered.id).collect();
    let count = |entered: &[EnteredSocket]| entered.iter().filter(|entered| !entered.is_subscription).count();
    if !socket.is_subscription && count(theirs) - count(&in_session) >= limits.per_user {
        return Err(LimitReached::Sockets { limit: limits.per_user });
    }
    let theirs = users.entry(socket.user_id.clone()).or_default();
    theirs.retain(|entered| !replaced.contains(&entered.id));
    // Most users have one: room for four would be the larger part of the memory of a socket here.
    theirs.reserve_exact(1);
    theirs.push(EnteredSocket { id: socket.id, session, is_subscription: socket.is_subscription });
    Ok(replaced)
}
