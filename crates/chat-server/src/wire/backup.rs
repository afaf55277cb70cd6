//! What `backup` and `restore` do with the adapters: the embedded default, an SQLite file and a directory of attachments.

use std::path::Path;
use std::sync::Arc;

use anyhow::bail;
use chat_domain::model::{AttachmentId, Epoch};
use chat_domain::ports::AttachmentStore;
pub(crate) use chat_sqlite::backup::StoredFile;
use chat_sqlite::{backup, epoch, inspection, migrate};
use chat_storage::LocalAttachmentStore;

use super::database::require_file;
use super::{StoreAccess, StoredFiles};
use crate::binding::{self, Bound};
use crate::config::{AttachmentsUrl, Config, DatabaseUrl};
use crate::exclusive::{FileLock, Sharing};

/// The embedded stores of a configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Embedded<'a> {
    /// The SQLite file.
    pub(crate) database: &'a Path,
    /// The directory of the attachments.
    pub(crate) attachments: &'a Path,
}

impl<'a> Embedded<'a> {
    /// Those of the configuration.
    ///
    /// # Errors
    /// It has others, whose own tools make backups.
    pub(crate) fn of(config: &'a Config) -> anyhow::Result<Self> {
        let DatabaseUrl::Sqlite(database) = &config.database_url else {
            bail!(
                "this command is for SQLite, and --database-url (CHAT_DATABASE_URL) names PostgreSQL; back it up with \
                 `pg_dump --format=custom`, then copy the attachments"
            );
        };
        let AttachmentsUrl::File(attachments) = &config.attachments_url else {
            bail!(
                "this command is for attachments in a directory, and --attachments-url (CHAT_ATTACHMENTS_URL) names S3; \
                 copy the database with `sqlite3 chat.db \".backup copy.db\"`, and protect the bucket with versions or \
                 replication"
            );
        };
        Ok(Self { database, attachments })
    }
}

/// Writes a copy of a database, which a node may be using, into a new file. Blocks.
///
/// # Errors
/// It is missing or cannot be read, or the copy cannot be written.
pub(crate) fn copy_database(path: &Path, target: &Path) -> anyhow::Result<()> {
    require_file(path)?;
    Ok(backup::copy(path, target)?)
}

/// Checks a copy of a database completely. Blocks.
///
/// # Errors
/// It is damaged, or of a newer version.
pub(crate) fn verify_database(path: &Path) -> anyhow::Result<()> {
    Ok(backup::verify(path)?)
}

/// Brings a restored database to the schema of this version, and begins a new epoch in it. Files that wait to be sent are
/// not in a backup, so they are forgotten. Blocks.
///
/// # Errors
/// What the database fails with.
pub(crate) fn renew_database(path: &Path) -> anyhow::Result<Epoch> {
    migrate::up(path)?;
    backup::forget_uploads(path)?;
    Ok(epoch::rotate(path)?)
}

/// The files that messages of a database refer to, at most `limit`, after that one. Blocks.
///
/// # Errors
/// It cannot be read.
pub(crate) fn files_of(path: &Path, after: Option<AttachmentId>, limit: u32) -> anyhow::Result<Vec<StoredFile>> {
    Ok(backup::stored_files(path, after, limit)?)
}

/// Opens a directory of attachments to read it. Blocks.
///
/// # Errors
/// It is not there.
pub(crate) fn files_to_read(path: &Path) -> anyhow::Result<Arc<dyn AttachmentStore>> {
    Ok(Arc::new(LocalAttachmentStore::open_to_read(path)?))
}

/// Keeps nodes away from the directory of attachments, if there is one: a node with another database holds nothing else of
/// the data directory. Blocks.
///
/// # Errors
/// A node is there.
pub(crate) fn hold_files(config: &Config) -> anyhow::Result<Option<FileLock>> {
    let AttachmentsUrl::File(path) = &config.attachments_url else { return Ok(None) };
    if !path.is_dir() {
        return Ok(None);
    }
    binding::hold(path, Sharing::Alone).map(Some)
}

/// Makes a directory of attachments that belongs to a database. Blocks.
///
/// # Errors
/// It cannot be written.
pub(crate) fn new_files(path: &Path, database: &Path) -> anyhow::Result<Arc<dyn AttachmentStore>> {
    let store = LocalAttachmentStore::open(path)?;
    let identity = inspection::identity(database)?;
    let bound = Bound { identity: &identity, name: &database.display().to_string(), sharing: Sharing::Alone };
    drop(binding::bind(path, bound)?);
    Ok(Arc::new(store))
}

/// Makes a restored database the one whose nodes collect the restored files: both are new, and no other node has them.
///
/// # Errors
/// What the stores fail with.
pub(crate) async fn adopt(config: &Config) -> anyhow::Result<()> {
    let files = StoredFiles::open(config, StoreAccess::Alone).await?;
    let adopted = files.collector.adopt().await;
    files.close().await;
    adopted?;
    Ok(())
}
