//! Find an attachment with the session that decides who may have it.

use chat_domain::model::AttachmentId;
use chat_domain::ports::AttachmentLookup;
use diesel::prelude::*;

use crate::error::Failure;
use crate::get_session;
use crate::rows::AttachmentRow;
use crate::schema::chat_attachments;
use crate::values::DbId;

/// Runs in a transaction, so that attachment and session belong together.
pub(crate) fn find(connection: &mut SqliteConnection, id: AttachmentId) -> Result<Option<AttachmentLookup>, Failure> {
    let row: Option<AttachmentRow> = chat_attachments::table
        .select(AttachmentRow::as_select())
        .filter(chat_attachments::id.eq(DbId::from(id)))
        .first(connection)
        .optional()?;
    let Some(row) = row else { return Ok(None) };
    let session = get_session::find(connection, row.session_id.into())?
        .ok_or_else(|| Failure::corrupt("chat_attachments.session_id", "names no session"))?;
    Ok(Some(AttachmentLookup { attachment: row.try_into()?, session }))
}
