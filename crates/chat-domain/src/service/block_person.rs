//! Block a person.

use super::ChatService;
use crate::error::{Input, Invalid, Result};
use crate::model::{AccessChange, Principal, UserId};
use crate::policy::{self, Action};

impl ChatService {
    /// Refuses a person whatever their token, until they are unblocked, and closes their sockets: at once on this node,
    /// on others when these notice. Doing it again changes nothing. What they have, such as sessions, stays.
    ///
    /// # Errors
    /// `Forbidden`; `Invalid` also for an admin who names themself, since they could not undo it; what the store fails
    /// with.
    pub async fn block_person(&self, who: &Principal, person: Input<UserId>) -> Result<()> {
        policy::authorize(who, &Action::ManagePeople)?;
        let person = person?;
        if person == who.id {
            return Err(
                Invalid::new("personId", "must be that of another person: an admin cannot block themself").into()
            );
        }
        self.change_access(who, person, AccessChange::Block).await
    }
}
