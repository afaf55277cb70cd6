//! `TicketStore`: tickets that wait to be used.
//!
//! Both are writes like all others: they wait for the batch that the writer commits next. The one writer runs them one
//! after the other, so that a ticket is taken once and a person's tickets are counted exactly.

use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::{Ticket, TicketDigest, Timestamp};
use chat_domain::ports::TicketStore;
use chat_sql::{SWEPT_PER_TICKET, swept_before, tickets_kept, to_db};
use diesel::prelude::*;

use crate::database::Database;
use crate::error::Failure;
use crate::rows::{NewTicket, TicketRow};
use crate::schema::chat_tickets::{self, dsl};

/// Keeps tickets.
pub struct SqliteTicketStore {
    pub(crate) database: Arc<Database>,
}

#[async_trait]
impl TicketStore for SqliteTicketStore {
    async fn put(&self, digest: TicketDigest, ticket: Ticket, now: Timestamp) -> Result<()> {
        self.database.writer.run(move |connection| put(connection, digest, &ticket, now)).await
    }

    async fn take(&self, digest: TicketDigest, now: Timestamp) -> Result<Option<Ticket>> {
        let taken = self.database.writer.run(move |connection| take(connection, digest)).await?;
        Ok(taken.filter(|ticket| now < ticket.expires_at))
    }
}

fn put(
    connection: &mut SqliteConnection,
    digest: TicketDigest,
    ticket: &Ticket,
    now: Timestamp,
) -> Result<(), Failure> {
    let others = diesel::alias!(chat_tickets as others);
    let surplus = others
        .select(others.field(dsl::digest))
        .filter(others.field(dsl::user_id).eq(ticket.holder.id.as_str()))
        .order((others.field(dsl::expires_at).desc(), others.field(dsl::digest).desc()))
        // SQLite's way to say: all behind the offset.
        .limit(-1)
        .offset(tickets_kept(1));
    diesel::delete(chat_tickets::table).filter(dsl::digest.eq_any(surplus)).execute(connection)?;
    let swept = others
        .select(others.field(dsl::digest))
        .filter(others.field(dsl::expires_at).lt(swept_before(now)))
        .order(others.field(dsl::expires_at))
        .limit(to_db(SWEPT_PER_TICKET as u64));
    diesel::delete(chat_tickets::table).filter(dsl::digest.eq_any(swept)).execute(connection)?;
    diesel::replace_into(chat_tickets::table).values(NewTicket::new(&digest, ticket)).execute(connection)?;
    Ok(())
}

/// The writer has the database to itself, so the row that is read is the row that is deleted.
fn take(connection: &mut SqliteConnection, digest: TicketDigest) -> Result<Option<Ticket>, Failure> {
    let row = chat_tickets::table.find(digest.as_bytes().as_slice());
    let found: Option<TicketRow> = row.select(TicketRow::as_select()).first(connection).optional()?;
    let Some(found) = found else { return Ok(None) };
    diesel::delete(row).execute(connection)?;
    found.into_ticket()
}
