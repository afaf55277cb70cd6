//! Writes what tokens say of people.
//!
//! A row that a later token has written stays as it is. The rows come in the order of their ids, in which every node locks
//! them.

use chat_domain::model::{AvatarUrl, KnownPerson, PersonName};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment};

use super::columns::Columns;
use super::prepared;

/// The statement with its rows, a column each.
#[derive(Default)]
pub(crate) struct PutPeople<'a> {
    ids: Vec<&'a str>,
    names: Vec<Option<&'a str>>,
    avatar_urls: Vec<Option<&'a str>>,
    updated_at: Vec<i64>,
}

impl<'a> PutPeople<'a> {
    /// Adds a person, if tokens say anything of them.
    pub(crate) fn person(&mut self, person: &'a KnownPerson) {
        let Some(claims) = person.claims() else { return };
        self.ids.push(claims.id.as_str());
        self.names.push(claims.name.as_ref().map(PersonName::as_str));
        self.avatar_urls.push(claims.avatar_url.as_ref().map(AvatarUrl::as_str));
        self.updated_at.push(claims.as_of.unix_ms());
    }

    /// Runs it, if there is anything to write.
    pub(crate) fn run(self, connection: &mut PgConnection) -> QueryResult<()> {
        if !self.ids.is_empty() {
            self.execute(connection)?;
        }
        Ok(())
    }
}

impl QueryFragment<Pg> for PutPeople<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("INSERT INTO chat_people AS p (id, name, avatar_url, updated_at) SELECT * FROM unnest(");
        Columns::of(&mut out)
            .texts(&self.ids)?
            .maybe_texts(&self.names)?
            .maybe_texts(&self.avatar_urls)?
            .numbers(&self.updated_at)?;
        out.push_sql(
            ") ON CONFLICT (id) DO UPDATE SET name = coalesce(excluded.name, p.name), \
             avatar_url = coalesce(excluded.avatar_url, p.avatar_url), updated_at = excluded.updated_at \
             WHERE p.updated_at <= excluded.updated_at",
        );
        Ok(())
    }
}

prepared!(PutPeople<'_>);
