//! Rows of `chat_tickets`.

use chat_domain::model::{PersonName, Ticket, TicketDigest, Timestamp};
use chat_sql::{TicketToken, ticket_from_db, ticket_session_to_db};
use diesel::prelude::*;

use crate::error::Failure;
use crate::schema::chat_tickets;
use crate::values::DbId;

/// A ticket as it is read.
#[derive(Queryable, Selectable)]
#[diesel(table_name = chat_tickets, check_for_backend(diesel::sqlite::Sqlite))]
pub(crate) struct TicketRow {
    user_id: String,
    role: String,
    name: Option<String>,
    session_id: DbId,
    token_issued_at: Option<i64>,
    token_key: Option<Vec<u8>>,
    token_expires_at: i64,
    expires_at: i64,
}

impl TicketRow {
    /// The ticket, unless only a newer version understands it.
    pub(crate) fn into_ticket(self) -> Result<Option<Ticket>, Failure> {
        let holder = (self.user_id.as_str(), self.role.as_str(), self.name);
        let token = TicketToken {
            issued_at: self.token_issued_at,
            expires_at: self.token_expires_at,
            key: self.token_key.as_deref(),
        };
        Ok(ticket_from_db(holder, self.session_id.0, token, self.expires_at)?)
    }
}

/// A ticket as it is written.
#[derive(Insertable)]
#[diesel(table_name = chat_tickets, treat_none_as_default_value = false)]
pub(crate) struct NewTicket<'a> {
    digest: &'a [u8],
    user_id: &'a str,
    role: &'static str,
    name: Option<&'a str>,
    session_id: DbId,
    token_issued_at: Option<i64>,
    token_key: Option<&'a [u8]>,
    token_expires_at: i64,
    expires_at: i64,
}

impl<'a> NewTicket<'a> {
    pub(crate) fn new(digest: &'a TicketDigest, ticket: &'a Ticket) -> Self {
        Self {
            digest: digest.as_bytes(),
            user_id: ticket.holder.id.as_str(),
            role: ticket.holder.role.as_str(),
            name: ticket.holder.name.as_ref().map(PersonName::as_str),
            session_id: DbId(ticket_session_to_db(ticket.session_id)),
            token_issued_at: ticket.holder.token_issued_at.map(Timestamp::unix_ms),
            token_key: ticket.holder.token_key.as_ref().map(|key| key.as_bytes().as_slice()),
            token_expires_at: ticket.token_expires_at.unix_ms(),
            expires_at: ticket.expires_at.unix_ms(),
        }
    }
}
