//! Sign a person out everywhere.

use super::ChatService;
use crate::error::{Input, Result};
use crate::model::{AccessChange, Principal, UserId};
use crate::policy::{self, Action};

impl ChatService {
    /// Refuses the tokens of a person that were issued up to now, or do not say when, and closes the sockets that were
    /// opened with them: at once on this node, on others when these notice. A token that is issued later is taken. An
    /// admin may sign themself out.
    ///
    /// # Errors
    /// `Forbidden`, `Invalid`; what the store fails with.
    pub async fn sign_out_person(&self, who: &Principal, person: Input<UserId>) -> Result<()> {
        policy::authorize(who, &Action::ManagePeople)?;
        self.change_access(who, person?, AccessChange::SignOut).await
    }

    /// Changes the access of a person, with effect on this node when this returns.
    pub(super) async fn change_access(&self, who: &Principal, person: UserId, change: AccessChange) -> Result<()> {
        self.require_access(who)?;
        let revocation = self.ports.revocations.change(person, change, self.ports.clock.now()).await?;
        self.revocations.note(&revocation);
        self.close_revoked_sockets(&revocation);
        Ok(())
    }
}
