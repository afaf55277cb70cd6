//! Tickets as rows: what a table holds of one, and how much of it is kept.

use std::time::Duration;

use chat_domain::model::{
    MAX_TICKETS_OF_A_PERSON, PersonName, Principal, Role, SessionId, Ticket, Timestamp, TokenKeyDigest, UserId,
};

use uuid::Uuid;

use crate::{Corrupt, moment_from_db, valid};

/// How many unused tickets of a person remain when `new` ones of theirs come.
pub fn tickets_kept(new: usize) -> i64 {
    i64::try_from(MAX_TICKETS_OF_A_PERSON.saturating_sub(new)).unwrap_or(0)
}

/// How many expired tickets are removed for each new ticket. More than one, so that the table shrinks again after a
/// rush; few, so that none waits for the others' sweeping.
pub const SWEPT_PER_TICKET: usize = 4;

/// The session of a ticket as the column has it. A ticket that opens a socket without a session of its own has the nil UUID
/// (RFC 9562, 5.9), which no session has: a node of an older version would look for that session, and find none.
pub fn ticket_session_to_db(session: Option<SessionId>) -> Uuid {
    session.map_or(Uuid::nil(), |session| session.as_uuid())
}

fn ticket_session_from_db(column: Uuid) -> Option<SessionId> {
    (!column.is_nil()).then(|| SessionId::new(column))
}

/// For how long a ticket is kept after it has expired. Clocks of nodes differ, and a node that is ahead must not remove
/// what is good for the others.
const SWEPT_AFTER: Duration = Duration::from_secs(30);

/// What expired before this moment is swept, in milliseconds since 1970.
pub fn swept_before(now: Timestamp) -> i64 {
    let after = i64::try_from(SWEPT_AFTER.as_millis()).unwrap_or(i64::MAX);
    now.unix_ms().saturating_sub(after)
}

/// What a row says of the token that its ticket was asked for with.
#[derive(Clone, Copy, Debug)]
pub struct TicketToken<'a> {
    /// When it was issued.
    pub issued_at: Option<i64>,
    /// When it ends.
    pub expires_at: i64,
    /// The digest of the key that verified it.
    pub key: Option<&'a [u8]>,
}

/// A ticket from its columns. `None` when only a newer version knows its role: it opens nothing here.
///
/// # Errors
/// The person is none, or the digest of the key is none.
pub fn ticket_from_db(
    (user_id, role, name): (&str, &str, Option<String>),
    session_id: Uuid,
    token: TicketToken<'_>,
    expires_at: i64,
) -> Result<Option<Ticket>, Corrupt> {
    let id = valid("chat_tickets.user_id", UserId::parse(user_id))?;
    let token_key = token.key.map(<[u8; 32]>::try_from).transpose();
    let token_key = token_key.map_err(|_| Corrupt { column: "chat_tickets.token_key", problem: "has not 32 bytes" })?;
    let token_issued_at = moment_from_db(token.issued_at);
    Ok(Role::parse(role).map(|role| Ticket {
        holder: Principal {
            name: name.and_then(|name| PersonName::parse(&name).ok()),
            token_issued_at,
            token_key: token_key.map(TokenKeyDigest::from_bytes),
            ..Principal::new(id, role)
        },
        session_id: ticket_session_from_db(session_id),
        token_expires_at: Timestamp::from_unix_ms(token.expires_at),
        expires_at: Timestamp::from_unix_ms(expires_at),
    }))
}
