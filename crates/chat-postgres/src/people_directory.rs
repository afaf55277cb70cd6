//! `PeopleDirectory`: who people are, from memory and for the others from the database.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::{KnownPeople, UserId};
use chat_domain::ports::PeopleDirectory;

use crate::database::Database;
use crate::people;

/// Looks people up.
pub struct PgPeopleDirectory {
    pub(crate) database: Arc<Database>,
}

#[async_trait]
impl PeopleDirectory for PgPeopleDirectory {
    async fn find(&self, ids: Vec<UserId>) -> Result<KnownPeople> {
        let (memory, now) = (&self.database.people, Instant::now());
        let (mut known, unknown) = memory.recall(ids, now);
        if !unknown.is_empty() {
            let found = self.database.read(move |connection| people::find(connection, &unknown)).await?;
            memory.remember(&found, now);
            known.extend(found);
        }
        Ok(KnownPeople::new(known.iter().map(|person| Arc::clone(person.shown()))))
    }
}
