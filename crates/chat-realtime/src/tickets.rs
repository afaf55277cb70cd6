//! Tickets in the memory of this node.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::error::{ChatError, Result};
use chat_domain::model::{Ticket, TicketDigest, Timestamp};
use chat_domain::ports::TicketStore;

use crate::sync::{Mutex, lock};

/// The most tickets that are kept at a time.
const MAX_TICKETS: usize = 100_000;

/// Keeps tickets until they are used or expire; for a node that is alone, or cannot ask the others.
pub struct MemoryTickets {
    capacity: usize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    tickets: HashMap<TicketDigest, Ticket>,
    /// Their names in the order in which they expire.
    by_expiry: BTreeMap<(Timestamp, [u8; 32]), TicketDigest>,
}

impl MemoryTickets {
    /// A store that keeps at most 100,000 tickets.
    pub fn new() -> Arc<Self> {
        Self::with_capacity(MAX_TICKETS)
    }

    /// A store that keeps at most `capacity` tickets.
    pub fn with_capacity(capacity: usize) -> Arc<Self> {
        Arc::new(Self { capacity, inner: Mutex::default() })
    }

    /// How many tickets are kept, expired ones included that nobody came across.
    pub fn len(&self) -> usize {
        lock(&self.inner).tickets.len()
    }

    /// Whether no ticket is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[async_trait]
impl TicketStore for MemoryTickets {
    async fn put(&self, digest: TicketDigest, ticket: Ticket, now: Timestamp) -> Result<()> {
        let mut inner = lock(&self.inner);
        inner.remove(digest);
        inner.remove_expired(now);
        if inner.tickets.len() >= self.capacity {
            return Err(ChatError::unavailable("no more tickets can be kept"));
        }
        inner.by_expiry.insert((ticket.expires_at, *digest.as_bytes()), digest);
        inner.tickets.insert(digest, ticket);
        Ok(())
    }

    async fn take(&self, digest: TicketDigest, now: Timestamp) -> Result<Option<Ticket>> {
        let mut inner = lock(&self.inner);
        let ticket = inner.remove(digest);
        inner.remove_expired(now);
        Ok(ticket.filter(|ticket| now < ticket.expires_at))
    }
}

impl Inner {
    fn remove(&mut self, digest: TicketDigest) -> Option<Ticket> {
        let ticket = self.tickets.remove(&digest)?;
        self.by_expiry.remove(&(ticket.expires_at, *digest.as_bytes()));
        Some(ticket)
    }

    fn remove_expired(&mut self, now: Timestamp) {
        while let Some(entry) = self.by_expiry.first_entry()
            && entry.key().0 <= now
        {
            self.tickets.remove(&entry.remove());
        }
        if self.tickets.len() < self.tickets.capacity() / 4 {
            self.tickets.shrink_to(self.tickets.len() * 2);
        }
    }
}
