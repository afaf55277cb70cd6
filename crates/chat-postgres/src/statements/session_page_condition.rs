//! The condition that a session is on a page of a list.

use chat_domain::model::{SessionKey, SessionQuery, SessionStatus};
use chat_sql::{Scope, to_db};
use diesel::expression::{AppearsOnTable, Expression, ValidGrouping, is_aggregate};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Bool, Text};
use uuid::Uuid;

/// What a column is: a value, or null.
type Condition<'a> = (&'static str, Option<&'a str>);

/// Whether a session is on a page, or the first one after it, which says that the list goes on.
///
/// Each scope of the list is a range of an index that is in the order of the list; PostgreSQL merges two of them while
/// it reads. The index has all columns that are asked for, so that sessions before the page are passed over without
/// their rows. The ids of the page become an array, so that its rows are looked up by them whatever their number is
/// expected to be.
pub(crate) struct SessionPageCondition<'a> {
    ranges: Vec<Vec<Condition<'a>>>,
    /// Only sessions whose key is less are on the page or skipped.
    key: (i64, Uuid),
    limit: i64,
    skip: i64,
}

impl<'a> SessionPageCondition<'a> {
    /// The page of a query, in the list of these scopes.
    pub(crate) fn of(query: &SessionQuery, listed: &'a [(Scope, Option<SessionStatus>)]) -> Self {
        let key = |key: SessionKey| (key.started_at.unix_ms(), key.id.as_uuid());
        Self {
            ranges: listed.iter().map(|(scope, status)| scope.conditions(*status)).collect(),
            key: query.position.after().map_or((i64::MAX, Uuid::max()), key),
            limit: i64::from(query.limit.get()) + 1,
            skip: to_db(query.position.offset(query.limit)),
        }
    }

    /// The keys of a scope that come after the key: a comparison of rows, by which the index is entered at the key also
    /// among sessions that started at the same time.
    fn range<'b>(&'b self, conditions: &'b [Condition<'a>], mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let (started_at, id) = &self.key;
        out.push_sql("SELECT started_at, id FROM chat_sessions WHERE (started_at, id) < (");
        out.push_bind_param::<BigInt, _>(started_at)?;
        out.push_sql(", ");
        out.push_bind_param::<diesel::sql_types::Uuid, _>(id)?;
        out.push_sql(")");
        for (column, value) in conditions {
            out.push_sql(" AND ");
            out.push_sql(column);
            match value {
                Some(value) => {
                    out.push_sql(" = ");
                    out.push_bind_param::<Text, _>(*value)?;
                }
                None => out.push_sql(" IS NULL"),
            }
        }
        Ok(())
    }
}

/// The order of the list.
const ORDER: &str = " ORDER BY started_at DESC, id DESC";

impl QueryFragment<Pg> for SessionPageCondition<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("chat_sessions.id = ANY(ARRAY(SELECT page.id FROM (");
        if let [conditions] = self.ranges.as_slice() {
            self.range(conditions, out.reborrow())?;
        } else {
            // PostgreSQL merges what is in order already. It would not ask for that order itself, and sort all of it.
            for (number, conditions) in self.ranges.iter().enumerate() {
                out.push_sql(if number == 0 { "(" } else { " UNION ALL (" });
                self.range(conditions, out.reborrow())?;
                out.push_sql(ORDER);
                out.push_sql(")");
            }
        }
        out.push_sql(ORDER);
        out.push_sql(" LIMIT ");
        out.push_bind_param::<BigInt, _>(&self.limit)?;
        out.push_sql(" OFFSET ");
        out.push_bind_param::<BigInt, _>(&self.skip)?;
        out.push_sql(") AS page))");
        Ok(())
    }
}

/// Its text depends on the scopes, so diesel has to look at the text to find the statement that is prepared.
impl QueryId for SessionPageCondition<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Expression for SessionPageCondition<'_> {
    type SqlType = Bool;
}

impl<QS> AppearsOnTable<QS> for SessionPageCondition<'_> {}

impl<GB> ValidGrouping<GB> for SessionPageCondition<'_> {
    type IsAggregate = is_aggregate::No;
}
