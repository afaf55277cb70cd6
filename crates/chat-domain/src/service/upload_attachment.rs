//! Upload a file, to be sent in a message later.

use super::ChatService;
use super::store_file::{Coloring, SharedLimit};
use crate::error::{ChatError, Conflict, Input, LimitReached, Result};
use crate::model::{Attachment, Principal, SessionId, UnsentUpload, UploadQuota};
use crate::policy::{self, Action};
use crate::ports::IncomingFile;

/// An empty file is refused.
const LEAST_BYTES: u64 = 1;

impl ChatService {
    /// Checks all that can be known before a file is read. `size` is how many bytes it certainly has at least, or what
    /// is wrong with the request.
    ///
    /// # Errors
    /// In this order: `NotFound(Session)`; `Forbidden`; `Invalid`; `LimitReached`; `Conflict(SessionClosed)`.
    pub async fn prepare_upload(&self, who: &Principal, session: SessionId, size: Input<u64>) -> Result<()> {
        let closed = self.may_upload(who, session).await?;
        self.check_quota(who, size?).await?;
        Ok(closed?)
    }

    /// Stores a file that waits to be sent in this session, by `who` alone. When it is refused, nothing stays.
    ///
    /// # Errors
    /// As [`Self::prepare_upload`], and `Invalid` for what is wrong with the file.
    pub async fn upload_attachment(
        &self,
        who: &Principal,
        session: SessionId,
        file: Input<IncomingFile>,
    ) -> Result<Attachment> {
        let closed = self.may_upload(who, session).await?;
        let file = file?;
        self.check_closed(who, LEAST_BYTES, closed).await?;
        // Alone, it has the limit of a file.
        let limit = u64::MAX;
        let mut attachment = self.store_file(file, SharedLimit { left: limit, limit }).await?;
        attachment.dominant_color = self.dominant_color(who, &attachment, &mut Coloring::default()).await;
        let registered = self.register_upload(who, session, attachment.clone()).await;
        if registered.as_ref().is_err_and(ChatError::is_certain) {
            self.discard_file(attachment.id).await;
        }
        registered.map(|()| attachment)
    }

    async fn register_upload(&self, who: &Principal, session_id: SessionId, attachment: Attachment) -> Result<()> {
        // The upload may have taken an hour.
        self.require_access(who)?;
        let closed = self.may_upload(who, session_id).await?;
        self.check_closed(who, attachment.object.size, closed).await?;
        let uploaded_at = self.ports.clock.now();
        let upload = UnsentUpload { attachment, session_id, uploader: who.id.clone(), uploaded_at };
        let quota: UploadQuota = self.rules.upload_quota;
        self.ports.uploads.register(upload, quota).await
    }

    /// Passes on that the session is closed, after the quota: what `register` checks last comes before the state.
    async fn check_closed(&self, who: &Principal, bytes: u64, closed: Result<(), Conflict>) -> Result<()> {
        if let Err(closed) = closed {
            self.check_quota(who, bytes).await?;
            return Err(closed.into());
        }
        Ok(())
    }

    async fn check_quota(&self, who: &Principal, bytes: u64) -> Result<()> {
        let usage = self.ports.uploads.usage(who.id.clone()).await?;
        Ok(LimitReached::check_uploads(self.rules.upload_quota, usage, bytes)?)
    }

    /// The right, and then whether the session takes files, for what is asked between the two.
    async fn may_upload(&self, who: &Principal, session: SessionId) -> Result<Result<(), Conflict>> {
        let session = self.session(session).await?;
        policy::authorize(who, &Action::SendMessage(&session))?;
        Ok(if session.is_active() { Ok(()) } else { Err(Conflict::SessionClosed) })
    }
}
