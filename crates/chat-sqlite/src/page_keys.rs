//! The statement that reads the keys of a page of sessions.

use chat_domain::model::{SessionQuery, SessionStatus};
use chat_sql::{Scope, to_db};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Binary, Text};
use diesel::sqlite::Sqlite;

use crate::values::DbId;

/// The keys of a page, newest first, and the first one after it, which says that the list goes on.
///
/// Each scope of the list is a range of an index that is in the order of the list; SQLite merges two of them while it
/// reads. The index has all columns that are asked for, so that sessions before the page are passed over without their
/// rows.
pub(crate) struct PageKeys<'a> {
    ranges: Vec<Vec<(&'static str, Option<&'a str>)>>,
    /// Only keys that are less are on the page or skipped, if there is one.
    key: Option<(i64, DbId)>,
    limit: i64,
    skip: i64,
}

impl<'a> PageKeys<'a> {
    /// The page of a query, in the list of these scopes.
    pub(crate) fn of(query: &SessionQuery, listed: &'a [(Scope, Option<SessionStatus>)]) -> Self {
        Self {
            ranges: listed.iter().map(|(scope, status)| scope.conditions(*status)).collect(),
            key: query.position.after().map(|key| (key.started_at.unix_ms(), key.id.into())),
            limit: i64::from(query.limit.get()) + 1,
            skip: to_db(query.position.offset(query.limit)),
        }
    }
}

impl QueryFragment<Sqlite> for PageKeys<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        for (number, conditions) in self.ranges.iter().enumerate() {
            if number > 0 {
                out.push_sql(" UNION ALL ");
            }
            out.push_sql("SELECT started_at, id FROM chat_sessions WHERE ");
            if let Some((started_at, id)) = &self.key {
                // By a comparison of rows, the index is entered at the key also among sessions that started at the same
                // time. SQLite repeats it for each key that it passes over, so it is left out where keys are passed
                // over.
                out.push_sql("(started_at, id) < (");
                out.push_bind_param::<BigInt, _>(started_at)?;
                out.push_sql(", ");
                out.push_bind_param::<Binary, _>(id)?;
                out.push_sql(")");
            } else {
                out.push_sql("started_at <= ");
                out.push_bind_param::<BigInt, _>(&i64::MAX)?;
            }
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
        }
        out.push_sql(" ORDER BY started_at DESC, id DESC LIMIT ");
        out.push_bind_param::<BigInt, _>(&self.limit)?;
        out.push_sql(" OFFSET ");
        out.push_bind_param::<BigInt, _>(&self.skip)
    }
}

/// Its text depends on the scopes, so diesel has to look at the text to find the statement that is prepared.
impl QueryId for PageKeys<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for PageKeys<'_> {
    type SqlType = (BigInt, Binary);
}

impl RunQueryDsl<SqliteConnection> for PageKeys<'_> {}
