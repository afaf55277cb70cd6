//! Adds to the numbers of sessions: the totals and the buckets of time. Each writer has rows of its own, so writers never
//! wait for each other here. (Those that share the rows of number 0 do, and come to them in the same order.)

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
    totals: Totals<'a>,
    buckets: Buckets<'a>,
}

#[derive(Default)]
struct Totals<'a> {
    scopes: Vec<&'static str>,
    holders: Vec<&'a str>,
    statuses: Vec<&'static str>,
    counts: Vec<i64>,
}

#[derive(Default)]
struct Buckets<'a> {
    scopes: Vec<&'static str>,
    holders: Vec<&'a str>,
    levels: Vec<i32>,
    numbers: Vec<i64>,
    active: Vec<i64>,
    closed: Vec<i64>,
}

impl<'a> AddToCounts<'a> {
    /// What a batch of this writer adds.
    pub(crate) fn new(writer: i32, counts: &'a SessionCounts) -> Self {
        let mut totals = Totals::default();
        for (scope, status, by) in counts.totals() {
            let (scope, holder) = scope.columns();
            totals.scopes.push(scope);
            totals.holders.push(holder);
            totals.statuses.push(status.as_str());
            totals.counts.push(by);
        }
        let mut buckets = Buckets::default();
        for (scope, bucket, by) in counts.buckets() {
            let (scope, holder) = scope.columns();
            buckets.scopes.push(scope);
            buckets.holders.push(holder);
            buckets.levels.push(bucket.level);
            buckets.numbers.push(bucket.number);
            buckets.active.push(by.active);
            buckets.closed.push(by.closed);
        }
        Self { writer, totals, buckets }
    }

    /// Runs it, if there is anything to add.
    pub(crate) fn run(self, connection: &mut PgConnection) -> QueryResult<()> {
        // Whatever moves a total moves a bucket.
        if !self.buckets.numbers.is_empty() {
            self.execute(connection)?;
        }
        Ok(())
    }
}

impl QueryFragment<Pg> for AddToCounts<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let Self { writer, totals, buckets } = self;
        out.push_sql(
            "WITH buckets AS ( \
             INSERT INTO chat_session_buckets AS b (scope, holder, level, bucket, writer, active, closed) \
             SELECT i.scope, i.holder, i.level, i.bucket, ",
        );
        out.push_bind_param::<Integer, _>(writer)?;
        out.push_sql(", i.active, i.closed FROM unnest(");
        Columns::of(&mut out)
            .texts(&buckets.scopes)?
            .texts(&buckets.holders)?
            .integers(&buckets.levels)?
            .numbers(&buckets.numbers)?
            .numbers(&buckets.active)?
            .numbers(&buckets.closed)?;
        out.push_sql(
            ") AS i(scope, holder, level, bucket, active, closed) \
             ON CONFLICT (scope, holder, level, bucket, writer) \
             DO UPDATE SET active = b.active + excluded.active, closed = b.closed + excluded.closed) \
             INSERT INTO chat_session_counts AS c (scope, holder, status, writer, count) \
             SELECT i.scope, i.holder, i.status, ",
        );
        out.push_bind_param::<Integer, _>(writer)?;
        out.push_sql(", i.count FROM unnest(");
        Columns::of(&mut out)
            .texts(&totals.scopes)?
            .texts(&totals.holders)?
            .texts(&totals.statuses)?
            .numbers(&totals.counts)?;
        out.push_sql(
            ") AS i(scope, holder, status, count) \
             ON CONFLICT (scope, holder, status, writer) DO UPDATE SET count = c.count + excluded.count",
        );
        Ok(())
    }
}

prepared!(AddToCounts<'_>);
