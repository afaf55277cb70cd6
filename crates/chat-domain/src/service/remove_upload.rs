//! Take an uploaded file back before it is sent.

use super::ChatService;
use crate::error::{ChatError, Conflict, Input, Resource, Result};
use crate::model::{AttachmentId, Principal};
use crate::policy::{self, Action};

impl ChatService {
    /// Removes a file that `who` has uploaded and not sent, whatever has become of its session. `input` is what is wrong
    /// with the request.
    ///
    /// # Errors
    /// `NotFound(Attachment)`, also for files that other people have not sent; of a file that was sent, `Forbidden`,
    /// `Invalid` or `Conflict(AlreadySent)`.
    pub async fn remove_upload(&self, who: &Principal, id: AttachmentId, input: Input<()>) -> Result<()> {
        self.require_access(who)?;
        if let Err(invalid) = input {
            let (_, session, _) = self.find_attachment(who, id).await?;
            policy::authorize(who, &Action::See(&session))?;
            return Err(invalid.into());
        }
        // One statement decides between the removal and a message that is sent with the file at this moment.
        if self.ports.uploads.remove(id, who.id.clone()).await? {
            self.discard_file(id).await;
            return Ok(());
        }
        let sent = self.ports.messages.find_attachment(id).await?;
        let sent = sent.ok_or(ChatError::NotFound(Resource::Attachment))?;
        policy::authorize(who, &Action::See(&sent.session))?;
        Err(Conflict::AlreadySent.into())
    }
}
