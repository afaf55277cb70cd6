//! People: who they are beside their ids. `chat_people` has what their tokens say, `chat_agents` what the directory calls
//! them.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::{KnownPerson, People, SessionEvent, UserId};
use chat_domain::ports::PeopleDirectory;
use chat_sql::{PeopleMemory, PersonRecord};
use diesel::prelude::*;

use crate::database::Database;
use crate::error::Failure;
use crate::statements::FindPeople;

/// Looks people up.
pub struct PgPeopleDirectory {
    pub(crate) database: Arc<Database>,
}

#[async_trait]
impl PeopleDirectory for PgPeopleDirectory {
    async fn find(&self, ids: Vec<UserId>) -> Result<People> {
        let (memory, now) = (&self.database.people, Instant::now());
        let (mut known, unknown) = memory.recall(ids, now);
        if !unknown.is_empty() {
            let found = self.database.read(move |connection| find(connection, &unknown)).await?;
            memory.remember(&found, now);
            known.extend(found);
        }
        Ok(People::new(known.iter().map(|person| Arc::clone(person.shown()))))
    }
}

/// What the database holds of each of these people.
pub(crate) fn find(connection: &mut PgConnection, ids: &[UserId]) -> Result<Vec<Arc<KnownPerson>>, Failure> {
    let rows = FindPeople::new(ids.iter().map(UserId::as_str).collect()).run(connection)?;
    let person = |(id, name, avatar_url, updated_at, display_name): (String, _, _, _, _)| {
        let id = chat_sql::valid("chat_people.id", UserId::parse(&id))?;
        let record = PersonRecord { name, avatar_url, updated_at, display_name };
        Ok(Arc::new(record.into_person(id)))
    };
    rows.into_iter().map(person).collect()
}

/// Adds to the events the people whom they show.
pub(crate) fn complete(
    connection: &mut PgConnection,
    memory: &PeopleMemory,
    events: &mut [SessionEvent],
) -> Result<(), Failure> {
    let now = Instant::now();
    let (mut known, unknown) = memory.recall(events.iter().flat_map(|event| event.change.shown_people()), now);
    if !unknown.is_empty() {
        let found = find(connection, &unknown)?;
        memory.remember(&found, now);
        known.extend(found);
    }
    chat_sql::show_people(events, &known);
    Ok(())
}
