//! Download an attachment.

use super::ChatService;
use crate::error::{ChatError, Resource, Result};
use crate::model::{Attachment, AttachmentId, ByteRange, ChatSession, Principal};
use crate::policy::{self, Action};
use crate::ports::ByteSource;

/// An attachment that the caller may have.
pub struct Download {
    service: ChatService,
    /// Whether it waits to be sent, and so may be taken back at any moment.
    is_unsent: bool,
    /// What is known of it.
    pub attachment: Attachment,
}

impl ChatService {
    /// Finds an attachment and checks the right to it. Nothing is read yet, so that a caller who only asks whether it
    /// has changed costs nothing more.
    pub async fn download_attachment(&self, who: &Principal, id: AttachmentId) -> Result<Download> {
        let (attachment, session, is_unsent) = self.find_attachment(who, id).await?;
        policy::authorize(who, &Action::See(&session))?;
        Ok(Download { service: self.clone(), is_unsent, attachment })
    }

    /// An attachment as it is there for `who`, the session that decides about the right, and whether the file waits to be
    /// sent: such a file is there for its uploader alone.
    pub(super) async fn find_attachment(
        &self,
        who: &Principal,
        id: AttachmentId,
    ) -> Result<(Attachment, ChatSession, bool)> {
        let sent = async || self.ports.messages.find_attachment(id).await;
        let missing = || ChatError::NotFound(Resource::Attachment);
        if let Some(sent) = sent().await? {
            return Ok((sent.attachment, sent.session, false));
        }
        let Some(upload) = self.ports.uploads.find(id).await? else {
            // It may have been sent between the two looks.
            let sent = sent().await?.ok_or_else(missing)?;
            return Ok((sent.attachment, sent.session, false));
        };
        if upload.uploader != who.id {
            return Err(missing());
        }
        Ok((upload.attachment, self.session(upload.session_id).await?, true))
    }
}

impl Download {
    /// The bytes, or a part of them that lies inside the file.
    ///
    /// # Errors
    /// `NotFound` when the file was taken back meanwhile; `Internal` when the store has lost the bytes, besides what the
    /// store fails with.
    pub async fn open(&self, range: Option<ByteRange>) -> Result<Box<dyn ByteSource>> {
        let id = self.attachment.id;
        let bytes = self.service.ports.attachments.open(id, range).await?;
        bytes.ok_or_else(|| {
            if self.is_unsent {
                return ChatError::NotFound(Resource::Attachment);
            }
            ChatError::internal(format!("the bytes of attachment {id} are missing from the store"))
        })
    }
}
