//! Tickets in memory.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::{MAX_TICKETS_OF_A_PERSON, Ticket, TicketDigest, Timestamp};
use chat_domain::ports::TicketStore;

/// Keeps few tickets, and looks at all of them each time.
#[derive(Debug, Default)]
pub struct MemoryTicketStore {
    tickets: Mutex<HashMap<TicketDigest, Ticket>>,
}

impl MemoryTicketStore {
    /// A store without tickets.
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl TicketStore for MemoryTicketStore {
    async fn put(&self, digest: TicketDigest, ticket: Ticket, now: Timestamp) -> Result<()> {
        let mut tickets = self.tickets.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.retain(|_, ticket| ticket.expires_at > now);
        let theirs = tickets.iter().filter(|(_, other)| other.holder.id == ticket.holder.id);
        if theirs.clone().count() >= MAX_TICKETS_OF_A_PERSON {
            let first = theirs.min_by_key(|(digest, other)| (other.expires_at, *digest.as_bytes()));
            let first = *first.expect("they have some").0;
            tickets.remove(&first);
        }
        tickets.insert(digest, ticket);
        Ok(())
    }

    async fn take(&self, digest: TicketDigest, now: Timestamp) -> Result<Option<Ticket>> {
        let ticket = self.tickets.lock().unwrap_or_else(PoisonError::into_inner).remove(&digest);
        Ok(ticket.filter(|ticket| ticket.expires_at > now))
    }
}
