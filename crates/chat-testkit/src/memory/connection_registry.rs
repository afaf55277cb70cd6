//! A registry of connections that lets everyone in and remembers who is there. It replaces nobody: the registries that
//! ship have that to do, and a contract of their own.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::error::LimitReached;
use chat_domain::model::{Connection, ConnectionLimits};
use chat_domain::ports::ConnectionRegistry;

/// Lets in as many connections of a person as `per_user` says.
#[derive(Debug, Default)]
pub struct OpenDoor(Mutex<Vec<Connection>>);

impl OpenDoor {
    /// A registry that nobody has entered.
    pub fn new() -> Self {
        Self::default()
    }

    /// Who is there, in the order in which they came.
    pub fn connections(&self) -> Vec<Connection> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ConnectionRegistry for OpenDoor {
    async fn enter(&self, connection: &Connection, limits: ConnectionLimits) -> Result<()> {
        let mut there = self.lock();
        if there.iter().filter(|other| other.user_id == connection.user_id).count() >= limits.per_user {
            return Err(LimitReached::Connections { limit: limits.per_user }.into());
        }
        there.push(connection.clone());
        Ok(())
    }

    fn leave(&self, connection: &Connection) {
        self.lock().retain(|other| other.id != connection.id);
    }
}
