//! Rows of `chat_attachments`.

use chat_domain::model::{Attachment, ChatMessage};
use chat_sql::{AttachmentRecord, color_to_db, to_db};
use diesel::prelude::*;
use uuid::Uuid;

use crate::error::Failure;
use crate::schema::chat_attachments;

/// An attachment as it is read.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = chat_attachments, check_for_backend(diesel::pg::Pg))]
pub(crate) struct AttachmentRow {
    pub(crate) session_id: Uuid,
    pub(crate) seq: i64,
    id: Uuid,
    name: String,
    media_type: String,
    size: i64,
    sha256: Vec<u8>,
    width: Option<i64>,
    height: Option<i64>,
    duration: Option<f64>,
    dominant_color: Option<i32>,
}

impl TryFrom<AttachmentRow> for Attachment {
    type Error = Failure;

    fn try_from(row: AttachmentRow) -> Result<Self, Failure> {
        let record = AttachmentRecord {
            id: row.id,
            name: row.name,
            media_type: row.media_type,
            size: row.size,
            sha256: row.sha256,
            width: row.width,
            height: row.height,
            duration: row.duration,
            dominant_color: row.dominant_color,
        };
        Ok(Self::try_from(record)?)
    }
}

/// An attachment of a message that was just sent.
#[derive(Insertable)]
#[diesel(table_name = chat_attachments, treat_none_as_default_value = false)]
pub(crate) struct NewAttachment<'a> {
    session_id: Uuid,
    seq: i64,
    position: i32,
    id: Uuid,
    name: &'a str,
    media_type: &'a str,
    size: i64,
    sha256: &'a [u8],
    width: Option<i64>,
    height: Option<i64>,
    duration: Option<f64>,
    dominant_color: Option<i32>,
}

impl<'a> NewAttachment<'a> {
    /// The rows of a message's files.
    pub(crate) fn of(message: &'a ChatMessage) -> impl Iterator<Item = Self> {
        message.attachments.iter().zip(0..).map(|(attachment, position)| Self {
            session_id: message.session_id.as_uuid(),
            seq: to_db(message.seq.get()),
            position,
            id: attachment.id.as_uuid(),
            name: attachment.name.as_str(),
            media_type: attachment.object.media_type.as_str(),
            size: to_db(attachment.object.size),
            sha256: &attachment.object.sha256,
            width: attachment.object.metadata.width.map(i64::from),
            height: attachment.object.metadata.height.map(i64::from),
            duration: attachment.object.metadata.duration,
            dominant_color: attachment.dominant_color.map(color_to_db),
        })
    }
}
