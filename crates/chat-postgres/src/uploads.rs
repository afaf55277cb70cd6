//! The statements about files that wait to be sent.
//!
//! A message that is sent with a file locks its row ([`lock`]) until the commit that removes it; a removal waits for that
//! and finds nothing.

use chat_domain::error::LimitReached;
use chat_domain::model::{AttachmentId, Timestamp, UnsentUpload, UploadQuota, UploadUsage, UserId};
use chat_domain::{ChatError, Result};
use chat_sql::{LockMode, from_db};
use diesel::connection::SimpleConnection;
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use uuid::Uuid;

use crate::advisory_locks;
use crate::collect_orphans::HOLD_FILES;
use crate::error::Failure;
use crate::rows::{NewUpload, UploadRow};
use crate::schema::chat_uploads::dsl;
use crate::schema::{chat_attachments, chat_orphans, chat_uploads};

/// A file that a message holds at the moment is passed over: it is sent, or left to the next round.
const REMOVE_EXPIRED: &str = "\
    DELETE FROM chat_uploads WHERE id = ANY (ARRAY( \
    SELECT id FROM chat_uploads WHERE uploaded_at < $1 ORDER BY uploaded_at, id LIMIT $2 FOR UPDATE SKIP LOCKED))";

/// May run twice, when its connection was lost: a file that is there already has been registered by the first run.
///
/// The file is held like those of messages, so that no condemnation passes it unseen. Then the person is locked, so that
/// what was counted is so until the commit.
pub(crate) fn register(
    connection: &mut PgConnection,
    upload: &UnsentUpload,
    quota: UploadQuota,
) -> Result<Result<()>, Failure> {
    connection.batch_execute(HOLD_FILES)?;
    advisory_locks::people(connection, "upload ", &[upload.uploader.as_str()], LockMode::Wait)?;
    let orphan = || chat_orphans::table.find(upload.attachment.id.as_uuid());
    let mark: Option<Option<i64>> = orphan().select(chat_orphans::condemned_at).first(connection).optional()?;
    if mark.flatten().is_some() {
        return Ok(Err(ChatError::unavailable("attachments: the uploaded file has been collected")));
    }
    if find(connection, upload.attachment.id)?.is_some() {
        return Ok(Ok(()));
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

pub(crate) fn find(connection: &mut PgConnection, id: AttachmentId) -> Result<Option<UnsentUpload>, Failure> {
    let row = chat_uploads::table.find(id.as_uuid()).select(UploadRow::as_select());
    let row: Option<UploadRow> = row.first(connection).optional()?;
    row.map(UnsentUpload::try_from).transpose()
}

/// There are at most as many rows of a person as the quota allows files.
pub(crate) fn usage(connection: &mut PgConnection, uploader: &UserId) -> Result<UploadUsage, Failure> {
    let sizes = chat_uploads::table.select(dsl::size).filter(dsl::uploader_id.eq(uploader.as_str()));
    let sizes: Vec<i64> = sizes.load(connection)?;
    let bytes = from_db("chat_uploads.size", sizes.iter().sum::<i64>())?;
    Ok(UploadUsage { files: sizes.len() as u64, bytes })
}

/// May run twice, when its connection was lost: `was_there` is what the run before saw. A file that it saw, and that is gone
/// without having been sent, was removed by it.
pub(crate) fn remove(
    connection: &mut PgConnection,
    id: AttachmentId,
    uploader: &UserId,
    was_there: &mut bool,
) -> Result<bool, Failure> {
    let own = || chat_uploads::table.find(id.as_uuid()).filter(dsl::uploader_id.eq(uploader.as_str()));
    let is_second_run = *was_there;
    *was_there |= diesel::select(exists(own())).get_result::<bool>(connection)?;
    if diesel::delete(own()).execute(connection)? == 1 {
        return Ok(true);
    }
    let sent = chat_attachments::table.filter(chat_attachments::id.eq(id.as_uuid()));
    Ok(is_second_run && !diesel::select(exists(sent)).get_result::<bool>(connection)?)
}

/// Removes the oldest ones, and returns how many.
pub(crate) fn remove_expired(connection: &mut PgConnection, before: Timestamp, limit: usize) -> Result<usize, Failure> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let statement = diesel::sql_query(REMOVE_EXPIRED);
    Ok(statement.bind::<BigInt, _>(before.unix_ms()).bind::<BigInt, _>(limit).execute(connection)?)
}

/// Those of `ids` that wait to be sent, locked in their order until the transaction ends.
pub(crate) fn lock(connection: &mut PgConnection, ids: Vec<Uuid>) -> Result<Vec<UnsentUpload>, Failure> {
    let rows: Vec<UploadRow> = chat_uploads::table
        .select(UploadRow::as_select())
        .filter(dsl::id.eq_any(ids))
        .order(dsl::id)
        .for_update()
        .load(connection)?;
    rows.into_iter().map(UnsentUpload::try_from).collect()
}
