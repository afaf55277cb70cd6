//! Advisory locks of people, by which transactions on all nodes take turns with what is counted exactly for a person.

use std::collections::HashSet;

use chat_sql::LockMode;
use diesel::prelude::*;
use diesel::sql_types::{Array, Text};

/// Locks people for one purpose, in the order of `people`, until the end of the transaction. Waits for locks that other
/// transactions hold in the mode `Wait`, and skips them otherwise. Returns the people that are locked now.
pub(crate) fn people(
    connection: &mut PgConnection,
    purpose: &str,
    people: &[&str],
    mode: LockMode,
) -> QueryResult<HashSet<String>> {
    if mode == LockMode::Wait {
        diesel::sql_query("SELECT pg_advisory_xact_lock(hashtextextended($1 || person, 0)) FROM unnest($2) AS person")
            .bind::<Text, _>(purpose)
            .bind::<Array<Text>, _>(people)
            .execute(connection)?;
        return Ok(people.iter().map(|person| (*person).to_owned()).collect());
    }
    let locked: Vec<Locked> = diesel::sql_query(
        "SELECT person FROM unnest($2) AS person WHERE pg_try_advisory_xact_lock(hashtextextended($1 || person, 0))",
    )
    .bind::<Text, _>(purpose)
    .bind::<Array<Text>, _>(people)
    .load(connection)?;
    Ok(locked.into_iter().map(|locked| locked.person).collect())
}

#[derive(QueryableByName)]
struct Locked {
    #[diesel(sql_type = Text)]
    person: String,
}
