//! Where tickets wait to be used.

use async_trait::async_trait;

use crate::error::Result;
use crate::model::{Ticket, TicketDigest, Timestamp};

/// Keeps tickets until they are used or expire. They need not survive a restart.
///
/// A digest is that of 32 random bytes and is put once. What becomes of a second ticket of a digest that was put before
/// is left open: it may be kept, replace the first, or be refused with `Unavailable`.
///
/// Where several nodes share a store, a ticket MUST be taken through any of them, once.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait TicketStore: Send + Sync {
    /// Keeps a ticket until it expires, on all nodes from when this returns.
    ///
    /// Of one person it MUST keep no more than `MAX_TICKETS_OF_A_PERSON`, on all nodes together: one ticket more takes
    /// the place of the ticket that expires first. It is not refused, because a page that is loaded again asks for a
    /// new ticket and never shows the old one. A ticket that is taken MUST make room. What has expired MUST be removed
    /// in the end, at the latest as others are put, so that the store is bounded by the number of people.
    ///
    /// # Errors
    /// `Unavailable` also when it is unknown whether the store keeps this one, which then opens nothing, since its
    /// text is not given out.
    async fn put(&self, digest: TicketDigest, ticket: Ticket, now: Timestamp) -> Result<()>;

    /// Takes a ticket out, as it was put. Of concurrent takers, on all nodes, exactly one MUST get it. A ticket that is
    /// unknown or was taken MUST be `None`. So MUST a ticket from the moment `expires_at` on; it is used up by that.
    ///
    /// # Errors
    /// `Unavailable` when the store cannot be asked. The ticket SHOULD be there for a later attempt; that it is used up
    /// although no caller got it MUST be the worst.
    async fn take(&self, digest: TicketDigest, now: Timestamp) -> Result<Option<Ticket>>;
}
