//! Give out a ticket that opens one socket.

use super::ChatService;
use crate::error::Result;
use crate::model::{Principal, SessionId, TICKET_LIFETIME, Ticket, TicketDigest, Timestamp};
use crate::policy::{self, Action};

impl ChatService {
    /// Makes the ticket of this digest open a socket of the session in the caller's name, once and within
    /// `TICKET_LIFETIME`. Answers with when it ends.
    pub async fn issue_ticket(
        &self,
        who: &Principal,
        id: SessionId,
        token_expires_at: Timestamp,
        digest: TicketDigest,
    ) -> Result<Timestamp> {
        policy::authorize(who, &Action::See(&self.session(id).await?))?;
        self.put_ticket(who, Some(id), token_expires_at, digest).await
    }

    pub(super) async fn put_ticket(
        &self,
        who: &Principal,
        session_id: Option<SessionId>,
        token_expires_at: Timestamp,
        digest: TicketDigest,
    ) -> Result<Timestamp> {
        let now = self.ports.clock.now();
        // A ticket does not outlive what it was given for.
        let expires_at = now.plus(TICKET_LIFETIME).min(token_expires_at);
        let holder = Principal { avatar_url: None, ..who.clone() };
        let ticket = Ticket { holder, session_id, token_expires_at, expires_at };
        self.ports.tickets.put(digest, ticket, now).await?;
        Ok(expires_at)
    }
}
