//! `TicketStore`: tickets that wait to be used, on any node.
//!
//! Both are pending writes of a group commit of their own. They touch no session, so they need none of the sessions'
//! writers, whose batches would need locks with them; and since the table is not logged, their commits do
//! not wait for the disk, as those of messages do.

use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::{Ticket, TicketDigest, Timestamp};
use chat_domain::ports::TicketStore;

use crate::database::Database;
use crate::ticket_writer::TicketWrite;

/// Keeps tickets.
pub struct PgTicketStore {
    pub(crate) database: Arc<Database>,
}

#[async_trait]
impl TicketStore for PgTicketStore {
    async fn put(&self, digest: TicketDigest, ticket: Ticket, now: Timestamp) -> Result<()> {
        self.database.tickets.submit(TicketWrite::Put(digest, ticket, now)).await.map(drop)
    }

    async fn take(&self, digest: TicketDigest, now: Timestamp) -> Result<Option<Ticket>> {
        let taken = self.database.tickets.submit(TicketWrite::Take(digest)).await?;
        Ok(taken.filter(|ticket| now < ticket.expires_at))
    }
}
