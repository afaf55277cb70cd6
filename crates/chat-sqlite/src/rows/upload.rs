//! Rows of `chat_uploads`.

use chat_domain::model::{Attachment, Timestamp, UnsentUpload, UserId};
use chat_sql::{AttachmentRecord, color_to_db, to_db, valid};
use diesel::prelude::*;

use crate::error::Failure;
use crate::schema::chat_uploads;
use crate::values::DbId;

/// A file that waits to be sent, as it is read.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = chat_uploads, check_for_backend(diesel::sqlite::Sqlite))]
pub(crate) struct UploadRow {
    id: DbId,
    session_id: DbId,
    uploader_id: String,
    uploaded_at: i64,
    name: String,
    media_type: String,
    size: i64,
    sha256: Vec<u8>,
    width: Option<i64>,
    height: Option<i64>,
    duration: Option<f64>,
    dominant_color: Option<i32>,
}

impl TryFrom<UploadRow> for UnsentUpload {
    type Error = Failure;

    fn try_from(row: UploadRow) -> Result<Self, Failure> {
        let record = AttachmentRecord {
            id: row.id.0,
            name: row.name,
            media_type: row.media_type,
            size: row.size,
            sha256: row.sha256,
            width: row.width,
            height: row.height,
            duration: row.duration,
            dominant_color: row.dominant_color,
        };
        Ok(Self {
            attachment: Attachment::try_from(record)?,
            session_id: row.session_id.into(),
            uploader: valid("chat_uploads.uploader_id", UserId::parse(&row.uploader_id))?,
            uploaded_at: Timestamp::from_unix_ms(row.uploaded_at),
        })
    }
}

/// A file that was just uploaded.
#[derive(Insertable)]
#[diesel(table_name = chat_uploads, treat_none_as_default_value = false)]
pub(crate) struct NewUpload<'a> {
    id: DbId,
    session_id: DbId,
    uploader_id: &'a str,
    uploaded_at: i64,
    name: &'a str,
    media_type: &'a str,
    size: i64,
    sha256: &'a [u8],
    width: Option<i64>,
    height: Option<i64>,
    duration: Option<f64>,
    dominant_color: Option<i32>,
}

impl<'a> From<&'a UnsentUpload> for NewUpload<'a> {
    fn from(upload: &'a UnsentUpload) -> Self {
        let attachment = &upload.attachment;
        Self {
            id: attachment.id.into(),
            session_id: upload.session_id.into(),
            uploader_id: upload.uploader.as_str(),
            uploaded_at: upload.uploaded_at.unix_ms(),
            name: attachment.name.as_str(),
            media_type: attachment.object.media_type.as_str(),
            size: to_db(attachment.object.size),
            sha256: &attachment.object.sha256,
            width: attachment.object.metadata.width.map(i64::from),
            height: attachment.object.metadata.height.map(i64::from),
            duration: attachment.object.metadata.duration,
            dominant_color: attachment.dominant_color.map(color_to_db),
        }
    }
}
