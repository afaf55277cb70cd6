//! Looks for messages that were sent under some idempotency keys.

use chat_domain::model::{IdempotencyKey, SessionId, UserId};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment};
use diesel::sql_types::{Binary, Text};
use uuid::Uuid;

use super::columns::Columns;
use super::prepared;

/// The statement with its keys, a column each.
#[derive(Default)]
pub(crate) struct FindMessagesByKeys<'a> {
    session_ids: Vec<Uuid>,
    author_ids: Vec<&'a str>,
    keys: Vec<&'a str>,
}

/// A message that was sent under one of the keys: its session, its position, its author, the key and the fingerprint.
type IdempotencyKeyRow = (Uuid, i64, String, String, Vec<u8>);

impl<'a> FindMessagesByKeys<'a> {
    /// Adds a key.
    pub(crate) fn key(&mut self, session: SessionId, author: &'a UserId, key: &'a IdempotencyKey) {
        self.session_ids.push(session.as_uuid());
        self.author_ids.push(author.as_str());
        self.keys.push(key.as_str());
    }

    /// Runs it, if there is anything to look for.
    pub(crate) fn run(self, connection: &mut PgConnection) -> QueryResult<Vec<IdempotencyKeyRow>> {
        if self.keys.is_empty() { Ok(Vec::new()) } else { self.load(connection) }
    }
}

impl QueryFragment<Pg> for FindMessagesByKeys<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        // LATERAL with LIMIT makes each key one look-up in the index, whatever the planner believes of the array's length.
        out.push_sql("SELECT m.session_id, m.seq, m.author_id, m.idempotency_key, m.fingerprint FROM unnest(");
        Columns::of(&mut out).uuids(&self.session_ids)?.texts(&self.author_ids)?.texts(&self.keys)?;
        out.push_sql(
            ") AS k(session_id, author_id, key) CROSS JOIN LATERAL (SELECT * FROM chat_messages \
             WHERE session_id = k.session_id AND author_id = k.author_id AND idempotency_key = k.key LIMIT 1) AS m",
        );
        Ok(())
    }
}

impl Query for FindMessagesByKeys<'_> {
    type SqlType = (diesel::sql_types::Uuid, diesel::sql_types::BigInt, Text, Text, Binary);
}

prepared!(FindMessagesByKeys<'_>);
