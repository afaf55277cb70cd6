//! Where tickets wait to be used.

use async_trait::async_trait;

use crate::error::Result;
use crate::model::{Ticket, TicketDigest, Timestamp};

/// Keeps tickets until they are used or expire. They need not survive a restart.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait TicketStore: Send + Sync {
    /// Keeps a ticket until it expires, and no longer. What it holds at a time MUST be bounded: by a number, or by the
    /// memory that a store shared by several nodes is given.
    ///
    /// # Errors
    /// `Unavailable` when it can keep no more.
    async fn put(&self, digest: TicketDigest, ticket: Ticket, now: Timestamp) -> Result<()>;

    /// Takes a ticket out. Of concurrent takers exactly one MUST get it; one that has expired MUST be `None`.
    async fn take(&self, digest: TicketDigest, now: Timestamp) -> Result<Option<Ticket>>;
}
