//! Look up the people whom a response shows.

use super::ChatService;
use crate::error::Result;
use crate::model::{KnownPeople, UserId};

impl ChatService {
    /// What is known of these people. There is no right to ask for: a caller passes the people of a session or a message
    /// that they may see.
    pub async fn find_people(&self, ids: impl IntoIterator<Item = UserId>) -> Result<KnownPeople> {
        self.ports.people.find(ids.into_iter().collect()).await
    }
}
