//! Copies of a database file: made beside a node, checked, and listed for the files that belong to them.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use chat_domain::model::AttachmentId;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::connection::{self, OpenMode};
pub use crate::error::BackupError;
use crate::migrate;
use crate::schema::{chat_attachments, chat_uploads};
use crate::values::DbId;

/// How long to wait for a process that locks the whole file.
const PATIENCE: Duration = Duration::from_secs(30);

/// An attachment that a message of the database refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// The name of the object.
    pub id: AttachmentId,
    /// How many bytes it has.
    pub size: u64,
    /// Their SHA-256.
    pub sha256: [u8; 32],
}

/// Writes the database as it is at one moment into the new file `target`, which is durable when this returns. A node may
/// go on to write meanwhile; its log grows until the copy is done. Blocks.
///
/// # Errors
/// When the database cannot be read, or the copy not written. What there is of the copy stays.
pub fn copy(path: impl AsRef<Path>, target: impl AsRef<Path>) -> Result<(), BackupError> {
    let (path, target) = (path.as_ref(), target.as_ref());
    let failed = |reason: String| BackupError::Copy { path: path.to_owned(), target: target.to_owned(), reason };
    let mut connection =
        connection::connect(path, OpenMode::Write, PATIENCE).map_err(|error| failed(error.to_string()))?;
    // SQLite writes into an empty file, and this one only its owner may read.
    migrate::create_private(target).map_err(|error| failed(error.to_string()))?;
    let copy = diesel::sql_query("VACUUM INTO ?1").bind::<Text, _>(connection::uri(target, OpenMode::Write));
    copy.execute(&mut connection).map_err(|error| failed(error.to_string()))?;
    drop(connection);
    // No connection to the copy is open, whose locks would end with this.
    File::open(target).and_then(|copy| copy.sync_all()).map_err(|error| failed(error.to_string()))
}

#[derive(QueryableByName)]
struct IntegrityRow {
    #[diesel(sql_type = Text)]
    integrity_check: String,
}

/// Reads the whole file and checks that it is sound, and of a schema that this program knows. Blocks.
///
/// # Errors
/// `Damaged`, with what was found first.
pub fn verify(path: impl AsRef<Path>) -> Result<(), BackupError> {
    let path = path.as_ref();
    let damaged = |reason: String| BackupError::Damaged { path: path.to_owned(), reason };
    let mut connection =
        connection::connect(path, OpenMode::Write, PATIENCE).map_err(|error| damaged(error.to_string()))?;
    connection.batch_execute("PRAGMA query_only = ON").map_err(|error| damaged(error.to_string()))?;
    let checked = diesel::sql_query("PRAGMA integrity_check(1)").get_result(&mut connection);
    let IntegrityRow { integrity_check } = checked.map_err(|error| damaged(error.to_string()))?;
    if integrity_check != "ok" {
        return Err(damaged(integrity_check));
    }
    migrate::pending(&mut connection, path).map_err(|error| damaged(error.to_string()))?;
    Ok(())
}

/// Forgets the files that wait to be sent, in a migrated copy of a database: a backup does not have their bytes. Blocks.
///
/// # Errors
/// When the database cannot be written.
pub fn forget_uploads(path: impl AsRef<Path>) -> Result<(), BackupError> {
    let path = path.as_ref();
    let damaged = |reason: String| BackupError::Damaged { path: path.to_owned(), reason };
    let mut connection =
        connection::connect(path, OpenMode::Write, PATIENCE).map_err(|error| damaged(error.to_string()))?;
    let forgotten = diesel::delete(chat_uploads::table).execute(&mut connection);
    forgotten.map(drop).map_err(|error| damaged(error.to_string()))
}

/// The attachments that messages refer to, at most `limit`, in ascending order, starting right after `after`. Blocks.
///
/// # Errors
/// When the database cannot be read.
pub fn stored_files(
    path: impl AsRef<Path>,
    after: Option<AttachmentId>,
    limit: u32,
) -> Result<Vec<StoredFile>, BackupError> {
    use chat_attachments::dsl;
    let path = path.as_ref();
    let damaged = |reason: String| BackupError::Damaged { path: path.to_owned(), reason };
    let mut connection =
        connection::connect(path, OpenMode::Write, PATIENCE).map_err(|error| damaged(error.to_string()))?;
    // No id of ours has only zeros.
    let after = DbId(after.map_or_else(uuid::Uuid::nil, |after| after.as_uuid()));
    let page = chat_attachments::table.select((dsl::id, dsl::size, dsl::sha256)).filter(dsl::id.gt(after));
    let rows: Vec<(DbId, i64, Vec<u8>)> = page
        .order(dsl::id)
        .limit(i64::from(limit))
        .load(&mut connection)
        .map_err(|error| damaged(error.to_string()))?;
    let file = |(id, size, sha256): (DbId, i64, Vec<u8>)| {
        let (size, sha256) = (u64::try_from(size).ok()?, sha256.try_into().ok()?);
        Some(StoredFile { id: id.into(), size, sha256 })
    };
    let files: Option<Vec<StoredFile>> = rows.into_iter().map(file).collect();
    files.ok_or_else(|| damaged("a row of chat_attachments holds what no program wrote".to_owned()))
}
