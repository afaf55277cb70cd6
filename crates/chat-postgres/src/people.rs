//! People: who they are beside their ids. `chat_people` has what their tokens say, `chat_agents` what the directory calls
//! them.

use std::sync::Arc;

use chat_domain::model::{KnownPerson, UserId};
use chat_sql::PersonRecord;
use diesel::prelude::*;

use crate::error::Failure;
use crate::statements::FindPeople;

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
