//! Open sockets in memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::error::LimitReached;
use chat_domain::model::{OpenSocket, SocketId, SocketLimits};
use chat_domain::ports::{SocketCloser, SocketRegistry};

/// A list of all open sockets.
pub struct MemorySockets {
    there: Mutex<Vec<OpenSocket>>,
    closer: Arc<dyn SocketCloser>,
}

impl MemorySockets {
    /// An empty registry, which closes replaced sockets through `closer`.
    pub fn new(closer: Arc<dyn SocketCloser>) -> Self {
        Self { there: Mutex::default(), closer }
    }

    /// The open sockets, in the order in which they entered.
    pub fn sockets(&self) -> Vec<OpenSocket> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<OpenSocket>> {
        self.there.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl SocketRegistry for MemorySockets {
    async fn enter(&self, socket: &OpenSocket, limits: SocketLimits) -> Result<()> {
        let mut there = self.lock();
        let theirs: Vec<_> = there.iter().filter(|other| other.user_id == socket.user_id).collect();
        let here = theirs.iter().filter(|other| other.session_id == socket.session_id);
        let mut replaced: Vec<SocketId> = here.map(|other| other.id).collect();
        replaced.sort();
        let surplus = (replaced.len() + 1).saturating_sub(limits.per_session);
        replaced.truncate(if socket.session_id.is_some() { surplus } else { 0 });
        let stays = |other: &&&OpenSocket| !other.is_subscription && !replaced.contains(&other.id);
        if !socket.is_subscription && theirs.iter().filter(stays).count() >= limits.per_user {
            return Err(LimitReached::Sockets { limit: limits.per_user }.into());
        }
        there.retain(|other| !replaced.contains(&other.id));
        there.push(socket.clone());
        drop(there);
        for id in replaced {
            if let Some(session) = socket.session_id {
                self.closer.close_replaced(session, id);
            }
        }
        Ok(())
    }

    fn leave(&self, socket: &OpenSocket) {
        self.lock().retain(|other| other.id != socket.id);
    }
}
