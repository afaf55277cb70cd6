//! Adds to the numbers of sessions. Each writer has rows of its own, so writers never wait for each other here. (Those
//! that share the rows of number 0 do, and come to them in the same order.)

use chat_sql::SessionCounts;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::sql_types::Integer;

use super::columns::Columns;
use super::prepared;

/// The statement with its rows, a column each.
pub(crate) struct AddToCounts<'a> {
    writer: i32,
    scopes: Vec<&'static str>,
    holders: Vec<&'a str>,
    statuses: Vec<&'static str>,
    counts: Vec<i64>,
}

impl<'a> AddToCounts<'a> {
    /// What a batch of this writer adds.
    pub(crate) fn new(writer: i32, counts: &'a SessionCounts) -> Self {
        let mut rows =
            Self { writer, scopes: Vec::new(), holders: Vec::new(), statuses: Vec::new(), counts: Vec::new() };
        for (scope, status, by) in counts.totals() {
            let (scope, holder) = scope.columns();
            rows.scopes.push(scope);
            rows.holders.push(holder);
            rows.statuses.push(status.as_str());
            rows.counts.push(by);
        }
        rows
    }

    /// Runs it, if there is anything to add.
    pub(crate) fn run(self, connection: &mut PgConnection) -> QueryResult<()> {
        if !self.counts.is_empty() {
            self.execute(connection)?;
        }
        Ok(())
    }
}

impl QueryFragment<Pg> for AddToCounts<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            "INSERT INTO chat_session_counts AS c (scope, holder, status, writer, count) \
             SELECT i.scope, i.holder, i.status, ",
        );
        out.push_bind_param::<Integer, _>(&self.writer)?;
        out.push_sql(", i.count FROM unnest(");
        Columns::of(&mut out)
            .texts(&self.scopes)?
            .texts(&self.holders)?
            .texts(&self.statuses)?
            .numbers(&self.counts)?;
        out.push_sql(
            ") AS i(scope, holder, status, count) \
             ON CONFLICT (scope, holder, status, writer) DO UPDATE SET count = c.count + excluded.count",
        );
        Ok(())
    }
}

prepared!(AddToCounts<'_>);
