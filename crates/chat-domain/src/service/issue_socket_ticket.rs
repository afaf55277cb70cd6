//! Give out a ticket that opens one socket without a session of its own.

use super::ChatService;
use crate::error::Result;
use crate::model::{Principal, TicketDigest, Timestamp};

impl ChatService {
    /// Makes the ticket of this digest open a socket that subscribes to sessions one by one, in the caller's name, once
    /// and within `TICKET_LIFETIME`. Returns when it ends. It opens no socket of a session.
    ///
    /// Everyone who is admitted may have one: the right to each session is asked when the socket subscribes to it.
    pub async fn issue_socket_ticket(
        &self,
        who: &Principal,
        token_expires_at: Timestamp,
        digest: TicketDigest,
    ) -> Result<Timestamp> {
        self.put_ticket(who, None, token_expires_at, digest).await
    }
}
