//! Where tickets wait to be used.

use async_trait::async_trait;

use crate::error::Result;
use crate::model::{Ticket, TicketDigest, Timestamp};

/// Keeps tickets until they are used or expire. They need not survive a restart.
///
/// A digest is that of 32 random bytes and is put once. What becomes of a second ticket of a digest that was put before
/// is left open: it may be kept, replace the first, or be refused with `Unavailable`.
///
/// Where several nodes share a store, a ticket is taken through any of them. While a node cannot ask the others, it MAY
/// keep a ticket to itself, and then only it gives the ticket out. A ticket MUST never lie in two places that give it
/// out, so that no failure makes it usable twice.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait TicketStore: Send + Sync {
    /// Keeps a ticket until it expires, and no longer. What it holds at a time MUST be bounded: by a number, or by the
    /// memory that a store shared by several nodes is given. A ticket that is taken or expires MUST make room.
    ///
    /// Of one person it MUST keep no more than `MAX_TICKETS_OF_A_PERSON`, so that nobody fills it alone: one more takes
    /// the place of the one that expires first. It is not refused, because a page that is loaded again asks for a new
    /// ticket and never shows the old one. A node that cannot ask the others counts its own.
    ///
    /// # Errors
    /// `Unavailable` when it can keep no more, and then every ticket that it held MUST stay. Also when nobody can tell
    /// whether it keeps this one, which then opens nothing, since its text is not given out.
    async fn put(&self, digest: TicketDigest, ticket: Ticket, now: Timestamp) -> Result<()>;

    /// Takes a ticket out, as it was put. Of concurrent takers, on all nodes, exactly one MUST get it. One that is
    /// unknown or was taken MUST be `None`, and so MUST one from the moment `expires_at` on, which is used up by that.
    ///
    /// # Errors
    /// `Unavailable` when the ticket may lie where this node cannot look at the moment. It SHOULD be there for a later
    /// attempt; that it is used up although nobody got it MUST be the worst.
    async fn take(&self, digest: TicketDigest, now: Timestamp) -> Result<Option<Ticket>>;
}
