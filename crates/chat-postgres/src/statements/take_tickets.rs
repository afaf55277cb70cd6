//! Takes tickets out of their table.
//!
//! A row that another transaction has locked is being used there, or makes room for another ticket: it is passed over and
//! not waited for. So a ticket is in the answer of one statement, and no two ever wait for each other.

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment};
use diesel::sql_types::{BigInt, Binary, Nullable, Text, Uuid as SqlUuid};
use uuid::Uuid;

use super::columns::Columns;
use super::prepared;

/// The statement with its digests.
pub(crate) struct TakeTickets<'a> {
    digests: Vec<&'a [u8]>,
}

/// A ticket: its digest; whose it is, their role and name; its session; when its token was issued, the digest of the key
/// that verified it, and when it ends; when the ticket ends.
pub(crate) type TicketRow = (Vec<u8>, String, String, Option<String>, Uuid, Option<i64>, Option<Vec<u8>>, i64, i64);

impl<'a> TakeTickets<'a> {
    /// A statement that takes these.
    pub(crate) fn new(digests: Vec<&'a [u8]>) -> Self {
        Self { digests }
    }

    /// Runs it, and returns those that were there.
    pub(crate) fn run(self, connection: &mut PgConnection) -> QueryResult<Vec<TicketRow>> {
        if self.digests.is_empty() { Ok(Vec::new()) } else { self.load(connection) }
    }
}

impl QueryFragment<Pg> for TakeTickets<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            "DELETE FROM chat_tickets WHERE digest = ANY(ARRAY(SELECT digest FROM chat_tickets WHERE digest = ANY(",
        );
        Columns::of(&mut out).bytes(&self.digests)?;
        out.push_sql(
            ") FOR UPDATE SKIP LOCKED)) \
             RETURNING digest, user_id, role, name, session_id, token_issued_at, token_key, token_expires_at, \
             expires_at",
        );
        Ok(())
    }
}

impl Query for TakeTickets<'_> {
    type SqlType = (Binary, Text, Text, Nullable<Text>, SqlUuid, Nullable<BigInt>, Nullable<Binary>, BigInt, BigInt);
}

prepared!(TakeTickets<'_>);
