//! Counts sessions that were opened and closed. Messages are counted where they are appended.

use chat_domain::model::StatisticsDelta;
use chat_sql::to_db;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::sql_types::{BigInt, Integer};

use super::prepared;

/// The statement.
pub(crate) struct AddToStatistics {
    writer: i32,
    opened: i64,
    closed: i64,
}

impl AddToStatistics {
    /// What a batch of this writer adds.
    pub(crate) fn new(writer: i32, delta: &StatisticsDelta) -> Self {
        Self { writer, opened: to_db(delta.opened), closed: to_db(delta.closed) }
    }

    /// Runs it, if there is anything to add.
    pub(crate) fn run(self, connection: &mut PgConnection) -> QueryResult<()> {
        if self.opened != 0 || self.closed != 0 {
            self.execute(connection)?;
        }
        Ok(())
    }
}

impl QueryFragment<Pg> for AddToStatistics {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            "INSERT INTO chat_stats AS c (writer, opened, closed, messages, responses, response_time_ms) VALUES (",
        );
        out.push_bind_param::<Integer, _>(&self.writer)?;
        out.push_sql(", ");
        out.push_bind_param::<BigInt, _>(&self.opened)?;
        out.push_sql(", ");
        out.push_bind_param::<BigInt, _>(&self.closed)?;
        out.push_sql(
            ", 0, 0, 0) ON CONFLICT (writer) DO UPDATE \
             SET opened = c.opened + excluded.opened, closed = c.closed + excluded.closed",
        );
        Ok(())
    }
}

prepared!(AddToStatistics);
