//! Looks people up by id: what their tokens said, and what the directory of agents calls them.

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment};
use diesel::sql_types::{BigInt, Nullable, Text};

use super::columns::Columns;
use super::prepared;

/// The statement with the ids.
pub(crate) struct FindPeople<'a> {
    ids: Vec<&'a str>,
}

/// A person: id, name, picture, when the token was issued that said so; the display name.
type PersonRow = (String, Option<String>, Option<String>, Option<i64>, Option<String>);

impl<'a> FindPeople<'a> {
    /// The statement for these people.
    pub(crate) fn new(ids: Vec<&'a str>) -> Self {
        Self { ids }
    }

    /// Runs it. There is a row for each id.
    pub(crate) fn run(self, connection: &mut PgConnection) -> QueryResult<Vec<PersonRow>> {
        self.load(connection)
    }
}

impl QueryFragment<Pg> for FindPeople<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        // LATERAL with LIMIT makes each person one look-up by their key in each table, whatever the planner believes of the
        // array's length.
        out.push_sql("SELECT i.id, p.name, p.avatar_url, p.updated_at, a.display_name FROM unnest(");
        Columns::of(&mut out).texts(&self.ids)?;
        out.push_sql(
            ") AS i(id) LEFT JOIN LATERAL \
             (SELECT name, avatar_url, updated_at FROM chat_people WHERE id = i.id LIMIT 1) AS p ON true \
             LEFT JOIN LATERAL (SELECT display_name FROM chat_agents WHERE id = i.id LIMIT 1) AS a ON true",
        );
        Ok(())
    }
}

impl Query for FindPeople<'_> {
    type SqlType = (Text, Nullable<Text>, Nullable<Text>, Nullable<BigInt>, Nullable<Text>);
}

prepared!(FindPeople<'_>);
