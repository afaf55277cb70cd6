//! Tickets in the memory of this node.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::error::{ChatError, Result};
use chat_domain::model::{MAX_TICKETS_OF_A_PERSON, Ticket, TicketDigest, Timestamp, UserId};
use chat_domain::ports::TicketStore;

use crate::sync::{Mutex, lock};

/// The most tickets that are kept at a time.
const MAX_TICKETS: usize = 100_000;

/// Keeps tickets until they are used or expire; for a node that is alone, or cannot ask the others.
pub struct MemoryTickets {
    capacity: usize,
    inner: Mutex<Inner>,
}

/// Tickets sort by the moment at which they expire.
type Key = (Timestamp, [u8; 32]);

#[derive(Default)]
struct Inner {
    tickets: HashMap<TicketDigest, Ticket>,
    /// Their names in the order in which they expire.
    by_expiry: BTreeMap<Key, TicketDigest>,
    /// Those of each person; no list is empty, and none is long.
    of_person: HashMap<UserId, Vec<Key>>,
}

fn key(digest: TicketDigest, ticket: &Ticket) -> Key {
    (ticket.expires_at, *digest.as_bytes())
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
        inner.make_room_for_one_of(&ticket.holder.id);
        if inner.tickets.len() >= self.capacity {
            return Err(ChatError::unavailable("no more tickets can be kept"));
        }
        inner.insert(digest, ticket);
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
    fn insert(&mut self, digest: TicketDigest, ticket: Ticket) {
        let key = key(digest, &ticket);
        self.by_expiry.insert(key, digest);
        // Most people have one at a time.
        let theirs = self.of_person.entry(ticket.holder.id.clone()).or_insert_with(|| Vec::with_capacity(1));
        theirs.push(key);
        self.tickets.insert(digest, ticket);
    }

    fn remove(&mut self, digest: TicketDigest) -> Option<Ticket> {
        let ticket = self.tickets.remove(&digest)?;
        let key = key(digest, &ticket);
        self.by_expiry.remove(&key);
        if let Some(theirs) = self.of_person.get_mut(&ticket.holder.id) {
            theirs.retain(|other| *other != key);
            if theirs.is_empty() {
                self.of_person.remove(&ticket.holder.id);
            }
        }
        Some(ticket)
    }

    /// Drops the ticket of a person that expires first, if they have as many as they may have.
    fn make_room_for_one_of(&mut self, person: &UserId) {
        let theirs = self.of_person.get(person).map(Vec::as_slice).unwrap_or_default();
        if theirs.len() < MAX_TICKETS_OF_A_PERSON {
            return;
        }
        let first = theirs.iter().min().and_then(|first| self.by_expiry.get(first).copied());
        if let Some(first) = first {
            self.remove(first);
        }
    }

    fn remove_expired(&mut self, now: Timestamp) {
        while let Some(((expires_at, _), digest)) = self.by_expiry.first_key_value()
            && *expires_at <= now
        {
            let digest = *digest;
            self.remove(digest);
        }
        if self.tickets.len() < self.tickets.capacity() / 4 {
            self.tickets.shrink_to(self.tickets.len() * 2);
            self.of_person.shrink_to(self.of_person.len() * 2);
        }
    }
}
