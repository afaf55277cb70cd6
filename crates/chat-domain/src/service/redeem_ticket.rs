//! Redeem a ticket.

use super::ChatService;
use crate::error::Result;
use crate::model::{SessionId, Ticket, TicketDigest};

impl ChatService {
    /// What the ticket stands for, if it opens a socket of this session, or, with `None`, one without a session of its own.
    /// The ticket is used up by being shown, also for another session. Whether its holder may still see the session is
    /// not decided here.
    ///
    /// `Unavailable` when the store cannot be asked; the ticket may then be used again.
    pub async fn redeem_ticket(&self, id: Option<SessionId>, digest: TicketDigest) -> Result<Option<Ticket>> {
        let ticket = self.ports.tickets.take(digest, self.ports.clock.now()).await?;
        Ok(ticket.filter(|ticket| ticket.session_id == id))
    }
}
