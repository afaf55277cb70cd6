//! Tickets in memory.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use chat_domain::model::{Ticket, TicketDigest, Timestamp};
use chat_domain::ports::TicketStore;
use chat_domain::{ChatError, Result};

/// The most tickets that are kept at a time, expired ones included.
const CAPACITY: usize = 1_000;

/// Keeps a thousand tickets.
#[derive(Debug, Default)]
pub struct MemoryTickets(Mutex<HashMap<TicketDigest, Ticket>>);

impl MemoryTickets {
    /// A store without tickets.
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl TicketStore for MemoryTickets {
    async fn put(&self, digest: TicketDigest, ticket: Ticket, now: Timestamp) -> Result<()> {
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.retain(|_, ticket| ticket.expires_at > now);
        if tickets.len() >= CAPACITY {
            return Err(ChatError::unavailable("too many tickets wait to be used"));
        }
        tickets.insert(digest, ticket);
        Ok(())
    }

    async fn take(&self, digest: TicketDigest, now: Timestamp) -> Result<Option<Ticket>> {
        let ticket = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&digest);
        Ok(ticket.filter(|ticket| ticket.expires_at > now))
    }
}
