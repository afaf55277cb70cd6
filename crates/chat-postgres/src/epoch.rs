//! The epoch: which history the positions of this database belong to. Read and rotated by a running node or,
//! with the functions of this module, without one.

use std::time::Duration;

use chat_domain::ChatError;
use chat_domain::model::Epoch;
use chat_sql::valid;
use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::connection::PgTarget;
use crate::error::{Failure, OpenError};
use crate::migrate;
use crate::schema::{chat_epoch, chat_fanout_key};
use crate::url::PgUrl;

/// How long to wait for a lock.
const PATIENCE: Duration = Duration::from_secs(30);

/// The epoch of a migrated database. Blocks.
///
/// # Errors
/// When the URL is wrong, the server cannot be reached as it asks, or the database lacks migrations.
pub fn read(url: &str) -> Result<Epoch, OpenError> {
    with_connection(url, current, failed)
}

/// Begins a new epoch in a migrated database and returns it. Blocks.
///
/// For the operator who has restored a backup: servers that are started after it tell clients that what they know
/// belongs to another history, and do not hear servers that were started before it: the fan-out key is another one too.
///
/// # Errors
/// As [`read`].
pub fn rotate(url: &str) -> Result<Epoch, OpenError> {
    with_connection(url, begin, failed)
}

/// The epoch as it is now.
pub(crate) fn current(connection: &mut PgConnection) -> Result<Epoch, Failure> {
    let epoch: String = chat_epoch::table.select(chat_epoch::epoch).first(connection)?;
    Ok(valid("chat_epoch.epoch", Epoch::parse(&epoch))?)
}

/// Begins a new epoch, with a new key for what nodes tell each other: copies of the database that were made before do not
/// have it.
pub(crate) fn begin(connection: &mut PgConnection) -> Result<Epoch, Failure> {
    #[derive(QueryableByName)]
    struct Begun {
        #[diesel(sql_type = Text)]
        epoch: String,
    }
    let begun: Begun = connection.transaction(|connection| {
        // First: of two that begin one at a time, the second waits here, and then sees the key of the first.
        let rotate = "UPDATE chat_epoch SET epoch = replace(gen_random_uuid()::TEXT, '-', '') RETURNING epoch";
        let begun = diesel::sql_query(rotate).get_result(connection)?;
        // The row is inserted again, so that it is there afterwards also where it was missing.
        diesel::delete(chat_fanout_key::table).execute(connection)?;
        diesel::sql_query(
            "INSERT INTO chat_fanout_key (key) VALUES (sha256(convert_to(
                 gen_random_uuid()::TEXT || gen_random_uuid()::TEXT || gen_random_uuid()::TEXT, 'UTF8')))",
        )
        .execute(connection)?;
        QueryResult::Ok(begun)
    })?;
    Ok(valid("chat_epoch.epoch", Epoch::parse(&begun.epoch))?)
}

fn failed(database: String, failure: Failure) -> OpenError {
    OpenError::Epoch { database, reason: ChatError::from(failure).to_string() }
}

/// Does something with a connection of its own to a migrated database.
pub(crate) fn with_connection<T>(
    url: &str,
    work: fn(&mut PgConnection) -> Result<T, Failure>,
    failed: fn(String, Failure) -> OpenError,
) -> Result<T, OpenError> {
    let url = PgUrl::parse(url).map_err(|problem| OpenError::Url { problem })?;
    let database = || url.shown().to_owned();
    url.check_tls()?;
    let pending = migrate::pending(&url)?;
    if !pending.is_empty() {
        return Err(OpenError::PendingMigrations { database: database(), pending });
    }
    let connected = PgTarget::migrator(&url, PATIENCE).connect();
    let mut connection =
        connected.map_err(|error| OpenError::Connect { database: database(), reason: error.to_string() })?;
    work(&mut connection).map_err(|failure| failed(database(), failure))
}
