//! Open connections in memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::error::LimitReached;
use chat_domain::model::{Connection, ConnectionId, ConnectionLimits};
use chat_domain::ports::{ConnectionRegistry, EventSink};

/// A list of everyone who is there.
pub struct MemoryConnections {
    there: Mutex<Vec<Connection>>,
    sink: Arc<dyn EventSink>,
}

impl MemoryConnections {
    /// A registry that nobody has entered, which tells `sink` who is replaced.
    pub fn new(sink: Arc<dyn EventSink>) -> Self {
        Self { there: Mutex::default(), sink }
    }

    /// Who is there, in the order in which they came.
    pub fn connections(&self) -> Vec<Connection> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.there.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ConnectionRegistry for MemoryConnections {
    async fn enter(&self, connection: &Connection, limits: ConnectionLimits) -> Result<()> {
        let mut there = self.lock();
        let theirs: Vec<_> = there.iter().filter(|other| other.user_id == connection.user_id).collect();
        let here = theirs.iter().filter(|other| other.session_id == connection.session_id);
        let mut replaced: Vec<ConnectionId> = here.map(|other| other.id).collect();
        replaced.sort();
        replaced.truncate((replaced.len() + 1).saturating_sub(limits.per_session));
        if theirs.len() - replaced.len() >= limits.per_user {
            return Err(LimitReached::Connections { limit: limits.per_user }.into());
        }
        there.retain(|other| !replaced.contains(&other.id));
        there.push(connection.clone());
        drop(there);
        for id in replaced {
            self.sink.replaced(connection.session_id, id);
        }
        Ok(())
    }

    fn leave(&self, connection: &Connection) {
        self.lock().retain(|other| other.id != connection.id);
    }
}
