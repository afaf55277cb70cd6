//! The epoch: which history the positions of this database belong to. Asked for and begun anew by a running server or,
//! with the functions of this module, without one.

use std::time::Duration;

use chat_domain::ChatError;
use chat_domain::model::Epoch;
use chat_sql::valid;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::connection::Target;
use crate::error::{Failure, OpenError};
use crate::schema::chat_epoch;
use crate::url::DatabaseUrl;
use crate::{migrate, tls};

/// How long to wait for a lock.
const PATIENCE: Duration = Duration::from_secs(30);

/// The epoch of a migrated database. Blocks.
///
/// # Errors
/// When the URL is wrong, the server cannot be reached as it asks, or the database lacks migrations.
pub fn read(url: &str) -> Result<Epoch, OpenError> {
    with_connection(url, current)
}

/// Begins a new epoch in a migrated database and answers it. Blocks.
///
/// For the operator who has restored a backup: servers that are started after it tell clients that what they know
/// belongs to another history. Nothing else changes.
///
/// # Errors
/// As [`read`].
pub fn rotate(url: &str) -> Result<Epoch, OpenError> {
    with_connection(url, begin)
}

/// The epoch as it is now.
pub(crate) fn current(connection: &mut PgConnection) -> Result<Epoch, Failure> {
    let epoch: String = chat_epoch::table.select(chat_epoch::epoch).first(connection)?;
    Ok(valid("chat_epoch.epoch", Epoch::parse(&epoch))?)
}

/// Begins a new epoch.
pub(crate) fn begin(connection: &mut PgConnection) -> Result<Epoch, Failure> {
    let epoch: String = diesel::update(chat_epoch::table)
        .set(chat_epoch::epoch.eq(sql::<Text>("replace(gen_random_uuid()::TEXT, '-', '')")))
        .returning(chat_epoch::epoch)
        .get_result(connection)?;
    Ok(valid("chat_epoch.epoch", Epoch::parse(&epoch))?)
}

fn with_connection(url: &str, work: fn(&mut PgConnection) -> Result<Epoch, Failure>) -> Result<Epoch, OpenError> {
    let url = DatabaseUrl::parse(url).map_err(|problem| OpenError::Url { problem })?;
    let database = || url.shown().to_owned();
    tls::check(&url)?;
    let pending = migrate::pending(&url)?;
    if !pending.is_empty() {
        return Err(OpenError::PendingMigrations { database: database(), pending });
    }
    let connected = Target::migrator(&url, PATIENCE).connect();
    let mut connection =
        connected.map_err(|error| OpenError::Connect { database: database(), reason: error.to_string() })?;
    work(&mut connection).map_err(|failure| {
        let reason = ChatError::from(failure).to_string();
        OpenError::Epoch { database: database(), reason }
    })
}
