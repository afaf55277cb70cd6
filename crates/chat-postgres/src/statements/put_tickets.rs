//! Inserts tickets, after those that make room for them and some of those that have expired are gone. One statement, one
//! round trip.
//!
//! Rows that another transaction has locked are about to go by themselves, and are passed over.

use std::collections::BTreeMap;

use chat_domain::model::{MAX_TICKETS_OF_A_PERSON, PersonName, Ticket, TicketDigest, Timestamp};
use chat_sql::{SWEPT_PER_TICKET, swept_before, ticket_session_to_db, tickets_kept, to_db};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::sql_types::BigInt;
use uuid::Uuid;

use super::columns::Columns;
use super::prepared;

/// The statement with its rows, a column each.
#[derive(Default)]
pub(crate) struct PutTickets<'a> {
    people: Vec<&'a str>,
    kept: Vec<i64>,
    swept_before: i64,
    swept: i64,
    digests: Vec<&'a [u8]>,
    user_ids: Vec<&'a str>,
    roles: Vec<&'static str>,
    names: Vec<Option<&'a str>>,
    session_ids: Vec<Uuid>,
    token_issued_at: Vec<Option<i64>>,
    token_keys: Vec<Option<&'a [u8]>>,
    token_expires_at: Vec<i64>,
    expires_at: Vec<i64>,
}

impl<'a> PutTickets<'a> {
    /// A statement for these. Of more tickets of one person than they may have, those that expire last are inserted.
    pub(crate) fn new(tickets: &'a [(TicketDigest, Ticket)], now: Timestamp) -> Self {
        let mut by_person: BTreeMap<&str, Vec<&(TicketDigest, Ticket)>> = BTreeMap::new();
        for new in tickets {
            by_person.entry(new.1.holder.id.as_str()).or_default().push(new);
        }
        let swept = to_db(tickets.len().saturating_mul(SWEPT_PER_TICKET) as u64);
        let mut this = Self { swept_before: swept_before(now), swept, ..Self::default() };
        for (person, mut theirs) in by_person {
            theirs.sort_by_key(|(_, ticket)| std::cmp::Reverse(ticket.expires_at));
            theirs.truncate(MAX_TICKETS_OF_A_PERSON);
            this.people.push(person);
            this.kept.push(tickets_kept(theirs.len()));
            for (digest, ticket) in theirs {
                this.ticket(digest, ticket);
            }
        }
        this
    }

    fn ticket(&mut self, digest: &'a TicketDigest, ticket: &'a Ticket) {
        self.digests.push(digest.as_bytes());
        self.user_ids.push(ticket.holder.id.as_str());
        self.roles.push(ticket.holder.role.as_str());
        self.names.push(ticket.holder.name.as_ref().map(PersonName::as_str));
        self.session_ids.push(ticket_session_to_db(ticket.session_id));
        self.token_issued_at.push(ticket.holder.token_issued_at.map(Timestamp::unix_ms));
        self.token_keys.push(ticket.holder.token_key.as_ref().map(|key| key.as_bytes().as_slice()));
        self.token_expires_at.push(ticket.token_expires_at.unix_ms());
        self.expires_at.push(ticket.expires_at.unix_ms());
    }

    /// Runs it.
    pub(crate) fn run(self, connection: &mut PgConnection) -> QueryResult<()> {
        if !self.digests.is_empty() {
            self.execute(connection)?;
        }
        Ok(())
    }
}

impl QueryFragment<Pg> for PutTickets<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        // LATERAL makes each person one walk along their tickets in the index, which are a hundred at most.
        out.push_sql(
            "WITH made_room AS (DELETE FROM chat_tickets WHERE digest = ANY(ARRAY(\
             SELECT digest FROM chat_tickets WHERE digest = ANY(ARRAY(SELECT t.digest FROM unnest(",
        );
        Columns::of(&mut out).texts(&self.people)?.numbers(&self.kept)?;
        out.push_sql(
            ") AS p(user_id, kept) CROSS JOIN LATERAL (SELECT digest FROM chat_tickets WHERE user_id = p.user_id \
             ORDER BY expires_at DESC, digest DESC OFFSET p.kept) AS t)) FOR UPDATE SKIP LOCKED))), \
             swept AS (DELETE FROM chat_tickets WHERE digest = ANY(ARRAY(\
             SELECT digest FROM chat_tickets WHERE expires_at < ",
        );
        out.push_bind_param::<BigInt, _>(&self.swept_before)?;
        out.push_sql(" ORDER BY expires_at LIMIT ");
        out.push_bind_param::<BigInt, _>(&self.swept)?;
        out.push_sql(
            " FOR UPDATE SKIP LOCKED))) INSERT INTO chat_tickets (digest, user_id, role, name, session_id, \
             token_issued_at, token_key, token_expires_at, expires_at) SELECT * FROM unnest(",
        );
        Columns::of(&mut out)
            .bytes(&self.digests)?
            .texts(&self.user_ids)?
            .texts(&self.roles)?
            .maybe_texts(&self.names)?
            .uuids(&self.session_ids)?
            .maybe_numbers(&self.token_issued_at)?
            .maybe_bytes(&self.token_keys)?
            .numbers(&self.token_expires_at)?
            .numbers(&self.expires_at)?;
        out.push_sql(") ON CONFLICT (digest) DO NOTHING");
        Ok(())
    }
}

prepared!(PutTickets<'_>);
