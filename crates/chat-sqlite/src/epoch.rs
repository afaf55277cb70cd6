//! The epoch: which history the positions of this database belong to. Read and rotated by a running node or,
//! with the functions of this module, without one.

use std::path::Path;
use std::time::Duration;

use chat_domain::model::Epoch;
use chat_sql::valid;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::connection::{self, OpenMode};
use crate::error::{Failure, OpenError};
use crate::migrate;
use crate::schema::chat_epoch;

/// How long to wait for a server that writes.
const PATIENCE: Duration = Duration::from_secs(30);

/// The epoch of a migrated database. Blocks.
///
/// # Errors
/// When the file is missing, not a database, or lacks migrations.
pub fn read(path: impl AsRef<Path>) -> Result<Epoch, OpenError> {
    with_connection(path.as_ref(), current)
}

/// Begins a new epoch in a migrated database and returns it. Blocks.
///
/// For the operator who has restored a backup: servers that are started after it tell clients that what they know
/// belongs to another history. Nothing else changes.
///
/// # Errors
/// As [`read`], and when another process keeps writing for 30 seconds.
pub fn rotate(path: impl AsRef<Path>) -> Result<Epoch, OpenError> {
    with_connection(path.as_ref(), begin)
}

/// The epoch as it is now.
pub(crate) fn current(connection: &mut SqliteConnection) -> Result<Epoch, Failure> {
    let epoch: String = chat_epoch::table.select(chat_epoch::epoch).first(connection)?;
    Ok(valid("chat_epoch.epoch", Epoch::parse(&epoch))?)
}

/// Begins a new epoch.
pub(crate) fn begin(connection: &mut SqliteConnection) -> Result<Epoch, Failure> {
    diesel::update(chat_epoch::table)
        .set(chat_epoch::epoch.eq(sql::<Text>("lower(hex(randomblob(16)))")))
        .execute(connection)?;
    current(connection)
}

fn with_connection(path: &Path, work: fn(&mut SqliteConnection) -> Result<Epoch, Failure>) -> Result<Epoch, OpenError> {
    let file = |reason: String| OpenError::File { path: path.to_owned(), reason };
    let mut connection =
        connection::connect(path, OpenMode::Write, PATIENCE).map_err(|error| file(error.to_string()))?;
    let pending = migrate::pending(&mut connection, path)?;
    if !pending.is_empty() {
        return Err(OpenError::PendingMigrations { path: path.to_owned(), pending });
    }
    work(&mut connection).map_err(|failure| {
        let reason = chat_domain::ChatError::from(failure).to_string();
        OpenError::Epoch { path: path.to_owned(), reason }
    })
}
