//! Download an attachment.

use super::ChatService;
use crate::error::{ChatError, Resource, Result};
use crate::model::{Attachment, AttachmentId, ByteRange, Principal};
use crate::policy::{self, Action};
use crate::ports::ByteSource;

/// An attachment that the caller may have.
pub struct Download {
    service: ChatService,
    /// What is known of it.
    pub attachment: Attachment,
}

impl ChatService {
    /// Finds an attachment and checks the right to it. Nothing is read yet, so that a caller who only asks whether it
    /// has changed costs nothing more.
    pub async fn download_attachment(&self, who: &Principal, id: AttachmentId) -> Result<Download> {
        let missing = ChatError::NotFound(Resource::Attachment);
        let record = self.ports.messages.find_attachment(id).await?.ok_or(missing)?;
        policy::authorize(who, &Action::See(&record.session))?;
        Ok(Download { service: self.clone(), attachment: record.attachment })
    }
}

impl Download {
    /// The bytes, or a part of them that lies inside the file.
    ///
    /// # Errors
    /// `Internal` when the store has lost the bytes, besides what the store fails with.
    pub async fn open(&self, range: Option<ByteRange>) -> Result<Box<dyn ByteSource>> {
        let id = self.attachment.id;
        let bytes = self.service.ports.attachments.open(id, range).await?;
        bytes.ok_or_else(|| ChatError::internal(format!("the bytes of attachment {id} are missing from the store")))
    }
}
