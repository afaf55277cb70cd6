//! Inserts durable changes that are not messages.

use chat_domain::model::{SessionEvent, UserId};
use chat_sql::{encode_event, to_db};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment};
use uuid::Uuid;

use super::columns::Columns;
use super::prepared;
use crate::error::Failure;

/// The statement with its rows, a column each.
#[derive(Default)]
pub(crate) struct InsertEvents<'a> {
    session_ids: Vec<Uuid>,
    seqs: Vec<i64>,
    kinds: Vec<&'static str>,
    actors: Vec<&'a str>,
    at: Vec<i64>,
    data: Vec<String>,
}

impl<'a> InsertEvents<'a> {
    /// Adds an event, unless it is a message, whose own row is its event.
    pub(crate) fn event(&mut self, event: &'a SessionEvent) -> Result<(), Failure> {
        if let Some((kind, data)) = encode_event(event)? {
            self.session_ids.push(event.session_id.as_uuid());
            self.seqs.push(to_db(event.seq.get()));
            self.kinds.push(kind);
            self.actors.push(UserId::as_str(&event.actor));
            self.at.push(event.at.unix_ms());
            self.data.push(data);
        }
        Ok(())
    }

    /// Runs it, if there is anything to insert.
    pub(crate) fn run(self, connection: &mut PgConnection) -> QueryResult<()> {
        if !self.seqs.is_empty() {
            self.execute(connection)?;
        }
        Ok(())
    }
}

impl QueryFragment<Pg> for InsertEvents<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("INSERT INTO chat_session_events (session_id, seq, kind, actor, at, data) SELECT * FROM unnest(");
        Columns::of(&mut out)
            .uuids(&self.session_ids)?
            .numbers(&self.seqs)?
            .texts(&self.kinds)?
            .texts(&self.actors)?
            .numbers(&self.at)?
            .texts(&self.data)?;
        out.push_sql(")");
        Ok(())
    }
}

prepared!(InsertEvents<'_>);
