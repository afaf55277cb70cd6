//! The statements about files that wait to be sent.
//!
//! All that changes runs in the writer's transactions, which come one after the other: what one has counted is so until it
//! ends.

use chat_domain::error::LimitReached;
use chat_domain::model::{AttachmentId, Timestamp, UnsentUpload, UploadQuota, UploadUsage, UserId};
use chat_domain::{ChatError, Result};
use chat_sql::from_db;
use diesel::prelude::*;

use crate::error::Failure;
use crate::rows::{NewUpload, UploadRow};
use crate::schema::chat_uploads::dsl;
use crate::schema::{chat_orphans, chat_uploads};
use crate::values::DbId;

pub(crate) fn register(
    connection: &mut SqliteConnection,
    upload: &UnsentUpload,
    quota: UploadQuota,
) -> Result<Result<()>, Failure> {
    let orphan = || chat_orphans::table.find(DbId::from(upload.attachment.id));
    let mark: Option<Option<i64>> = orphan().select(chat_orphans::condemned_at).first(connection).optional()?;
    if mark.flatten().is_some() {
        return Ok(Err(ChatError::unavailable("attachments: the uploaded file has been collected")));
    }
    let usage = usage(connection, &upload.uploader)?;
    if let Err(reached) = LimitReached::check_uploads(quota, usage, upload.attachment.object.size) {
        return Ok(Err(reached.into()));
    }
    if mark.is_some() {
        diesel::delete(orphan()).execute(connection)?;
    }
    diesel::insert_into(chat_uploads::table).values(NewUpload::from(upload)).execute(connection)?;
    Ok(Ok(()))
}

/// The file of that id, if it waits to be sent.
pub(crate) fn find(connection: &mut SqliteConnection, id: AttachmentId) -> Result<Option<UnsentUpload>, Failure> {
    let row = chat_uploads::table.find(DbId::from(id)).select(UploadRow::as_select());
    let row: Option<UploadRow> = row.first(connection).optional()?;
    row.map(UnsentUpload::try_from).transpose()
}

/// There are at most as many rows of a person as the quota allows files.
pub(crate) fn usage(connection: &mut SqliteConnection, uploader: &UserId) -> Result<UploadUsage, Failure> {
    let sizes = chat_uploads::table.select(dsl::size).filter(dsl::uploader_id.eq(uploader.as_str()));
    let sizes: Vec<i64> = sizes.load(connection)?;
    let bytes = from_db("chat_uploads.size", sizes.iter().sum::<i64>())?;
    Ok(UploadUsage { files: sizes.len() as u64, bytes })
}

pub(crate) fn remove(connection: &mut SqliteConnection, id: AttachmentId, uploader: &UserId) -> Result<bool, Failure> {
    let own = chat_uploads::table.find(DbId::from(id)).filter(dsl::uploader_id.eq(uploader.as_str()));
    Ok(diesel::delete(own).execute(connection)? == 1)
}

pub(crate) fn remove_expired(
    connection: &mut SqliteConnection,
    before: Timestamp,
    limit: usize,
) -> Result<usize, Failure> {
    let expired: Vec<DbId> = chat_uploads::table
        .select(dsl::id)
        .filter(dsl::uploaded_at.lt(before.unix_ms()))
        .order((dsl::uploaded_at, dsl::id))
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .load(connection)?;
    for id in &expired {
        diesel::delete(chat_uploads::table.find(*id)).execute(connection)?;
    }
    Ok(expired.len())
}
