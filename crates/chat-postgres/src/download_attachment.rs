//! Find an attachment with the session that decides who may have it.

use chat_domain::model::{AttachmentId, SessionId};
use chat_domain::ports::AttachmentLookup;
use diesel::prelude::*;

use crate::error::Failure;
use crate::get_session;
use crate::rows::AttachmentRow;
use crate::schema::chat_attachments;

/// The session is read after the attachment, in whatever state it has come to: rights are those of now, and neither is
/// ever removed.
pub(crate) fn find(connection: &mut PgConnection, id: AttachmentId) -> Result<Option<AttachmentLookup>, Failure> {
    let row: Option<AttachmentRow> = chat_attachments::table
        .select(AttachmentRow::as_select())
        .filter(chat_attachments::id.eq(id.as_uuid()))
        .first(connection)
        .optional()?;
    let Some(row) = row else { return Ok(None) };
    let session = get_session::find(connection, SessionId::new(row.session_id))?
        .ok_or_else(|| Failure::corrupt("chat_attachments.session_id", "names no session"))?;
    Ok(Some(AttachmentLookup { attachment: row.try_into()?, session }))
}
