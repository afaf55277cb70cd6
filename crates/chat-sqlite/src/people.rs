//! People: who they are beside their ids. `chat_people` has what their tokens say, `chat_agents` what the directory calls
//! them.

use std::collections::HashMap;
use std::sync::Arc;

use chat_domain::model::{AvatarUrl, KnownPerson, PersonName, UserId};
use chat_sql::PersonRecord;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};
use diesel::upsert::excluded;

use crate::error::Failure;
use crate::schema::{chat_agents, chat_people};

/// How many people one statement names: far below SQLite's limit of parameters.
const CHUNK: usize = 250;

/// What the database holds of each of these people. Inside one process a statement costs no round trip, so each table has
/// its own.
pub(crate) fn find(connection: &mut SqliteConnection, ids: &[UserId]) -> Result<Vec<Arc<KnownPerson>>, Failure> {
    let mut people = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(CHUNK) {
        let names = || chunk.iter().map(UserId::as_str);
        let rows: Vec<(String, Option<String>, Option<String>, i64)> = chat_people::table
            .select((chat_people::id, chat_people::name, chat_people::avatar_url, chat_people::updated_at))
            .filter(chat_people::id.eq_any(names()))
            .load(connection)?;
        let agents: Vec<(String, Option<String>)> = chat_agents::table
            .select((chat_agents::id, chat_agents::display_name))
            .filter(chat_agents::id.eq_any(names()))
            .load(connection)?;
        let mut records: HashMap<String, PersonRecord> = HashMap::new();
        for (id, name, avatar_url, updated_at) in rows {
            let record = PersonRecord { name, avatar_url, updated_at: Some(updated_at), display_name: None };
            records.insert(id, record);
        }
        for (id, display_name) in agents {
            records.entry(id).or_default().display_name = display_name;
        }
        let person = |id: &UserId| records.remove(id.as_str()).unwrap_or_default().into_person(id.clone());
        people.extend(chunk.iter().map(person).map(Arc::new));
    }
    Ok(people)
}

/// Writes what tokens say of a person, unless a later token has written the row.
pub(crate) fn put(connection: &mut SqliteConnection, person: &KnownPerson) -> QueryResult<()> {
    let Some(claims) = person.claims() else { return Ok(()) };
    let row = (
        chat_people::id.eq(claims.id.as_str()),
        chat_people::name.eq(claims.name.as_ref().map(PersonName::as_str)),
        chat_people::avatar_url.eq(claims.avatar_url.as_ref().map(AvatarUrl::as_str)),
        chat_people::updated_at.eq(claims.as_of.unix_ms()),
    );
    let upsert = diesel::insert_into(chat_people::table).values(row).on_conflict(chat_people::id).do_update().set((
        chat_people::name.eq(sql::<Nullable<Text>>("coalesce(excluded.name, chat_people.name)")),
        chat_people::avatar_url.eq(sql::<Nullable<Text>>("coalesce(excluded.avatar_url, chat_people.avatar_url)")),
        chat_people::updated_at.eq(excluded(chat_people::updated_at)),
    ));
    // By its path: with the trait in scope, `filter` of a table would be two methods.
    diesel::query_dsl::methods::FilterDsl::filter(upsert, chat_people::updated_at.le(claims.as_of.unix_ms()))
        .execute(connection)?;
    Ok(())
}
