//! Unblock a person.

use super::ChatService;
use crate::error::{Input, Result};
use crate::model::{AccessChange, Principal, UserId};
use crate::policy::{self, Action};

impl ChatService {
    /// Lets a person in again who was blocked; one who was not stays as they are. A sign-out is not undone by it.
    ///
    /// # Errors
    /// `Forbidden`, `Invalid`; what the store fails with.
    pub async fn unblock_person(&self, who: &Principal, person: Input<UserId>) -> Result<()> {
        policy::authorize(who, &Action::ManagePeople)?;
        self.change_access(who, person?, AccessChange::Unblock).await
    }
}
