//! Put messages together with their files.

use std::collections::HashMap;

use chat_domain::model::{Attachment, ChatMessage, SessionId};
use diesel::prelude::*;

use crate::error::Failure;
use crate::rows::{AttachmentRow, MessageRow};
use crate::schema::chat_attachments::{self, dsl};

/// The messages of some rows, which are neighbours in their session, with their files: one range of files for all.
pub(crate) fn complete(
    connection: &mut PgConnection,
    session_id: SessionId,
    rows: Vec<MessageRow>,
) -> Result<Vec<ChatMessage>, Failure> {
    let with_files = || rows.iter().filter(|row| row.attachment_count > 0).map(|row| row.seq);
    let mut files: HashMap<i64, Vec<Attachment>> = HashMap::new();
    if let (Some(first), Some(last)) = (with_files().min(), with_files().max()) {
        let found: Vec<AttachmentRow> = chat_attachments::table
            .select(AttachmentRow::as_select())
            .filter(dsl::session_id.eq(session_id.as_uuid()))
            .filter(dsl::seq.between(first, last))
            .order((dsl::session_id, dsl::seq, dsl::position))
            .load(connection)?;
        for row in found {
            files.entry(row.seq).or_default().push(row.try_into()?);
        }
    }
    rows.into_iter()
        .map(|row| {
            let files = files.remove(&row.seq).unwrap_or_default();
            row.into_message(session_id, files)
        })
        .collect()
}
