//! What nodes of this database know each other by: the key, and a name that a copy of the database does not have.
//!
//! Everything in a table is in a copy as well. So the name is made of what the server says about itself: the cluster's
//! system identifier, which `initdb` makes; its timeline, which a promoted standby or a point-in-time recovery leaves; and
//! the numbers of the database and of a table in the cluster's catalogue, which a restored dump, a database made from a
//! template and another schema do not share. All nodes of a database see the same, by whatever way they reach it.
//!
//! What a file system has copied and another server has started from, without recovery from an archive, cannot be told
//! apart: that server has the identifier and the timeline of the first.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chat_domain::ChatError;
use chat_domain::model::{FanoutCredentials, FanoutKey};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};
use tracing::warn;

use crate::database::Database;
use crate::epoch;
use crate::error::{Failure, OpenError};
use crate::schema::chat_fanout_key;
use crate::url::PgUrl;

/// The credentials of a migrated database. Blocks.
///
/// # Errors
/// When the URL is wrong, the server cannot be reached as it asks or is a standby, or the database lacks migrations.
pub fn read(url: &str) -> Result<FanoutCredentials, OpenError> {
    let found = epoch::with_connection(url, current, |database, failure| {
        let reason = ChatError::from(failure).to_string();
        OpenError::FanoutKey { database, reason }
    })?;
    let shown = || PgUrl::parse(url).map_or_else(|_| String::new(), |url| url.shown().to_owned());
    found.ok_or_else(|| OpenError::Standby { database: shown() })
}

/// Reads the credentials over and over: a server that has taken over has another location.
pub struct PgFanoutCredentials {
    pub(crate) database: Arc<Database>,
}

impl PgFanoutCredentials {
    /// As they are now. `None` when a standby was asked, as a URL may have it: it does not know the primary's timeline.
    ///
    /// # Errors
    /// What the database fails with.
    pub async fn current(&self) -> Result<Option<FanoutCredentials>, ChatError> {
        self.database.read(current).await
    }
}

/// The credentials as they are now, unless the server is a standby.
pub(crate) fn current(connection: &mut PgConnection) -> Result<Option<FanoutCredentials>, Failure> {
    if diesel::select(sql::<Bool>("pg_is_in_recovery()")).get_result(connection)? {
        return Ok(None);
    }
    let key: Vec<u8> = chat_fanout_key::table.select(chat_fanout_key::key).first(connection)?;
    let key = <[u8; 32]>::try_from(key).map_err(|_| Failure::corrupt("chat_fanout_key.key", "has not 32 bytes"))?;
    let (database, epoch) = (location(connection)?, epoch::current(connection)?);
    Ok(Some(FanoutCredentials { database, epoch, key: FanoutKey::from_bytes(key) }))
}

/// Whether this role may ask the server what the name is made of. Servers that only look like PostgreSQL lack the
/// functions, and administrators may take the right away.
const MAY_ASK: &str = "
    SELECT coalesce(has_function_privilege(to_regprocedure('pg_control_system()'), 'EXECUTE'), false) AS system,
           coalesce(has_function_privilege(to_regprocedure('pg_walfile_name(pg_lsn)'), 'EXECUTE'), false)
           AND coalesce(has_function_privilege(to_regprocedure('pg_current_wal_lsn()'), 'EXECUTE'), false) AS timeline";

#[derive(QueryableByName)]
struct FunctionPrivileges {
    #[diesel(sql_type = Bool)]
    system: bool,
    #[diesel(sql_type = Bool)]
    timeline: bool,
}

#[derive(QueryableByName)]
struct DatabaseLocation {
    #[diesel(sql_type = Nullable<BigInt>)]
    system: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    timeline: Option<String>,
    #[diesel(sql_type = BigInt)]
    database: i64,
    #[diesel(sql_type = BigInt)]
    relation: i64,
}

/// The name: `<system identifier>-<timeline>-<database>-<table>`, `0` for what cannot be asked.
fn location(connection: &mut PgConnection) -> Result<String, Failure> {
    let may: FunctionPrivileges = diesel::sql_query(MAY_ASK).get_result(connection)?;
    if !(may.system && may.timeline) {
        warn_once();
    }
    let system = if may.system { "(SELECT system_identifier FROM pg_control_system())" } else { "NULL::BIGINT" };
    // A file of the write-ahead log is named after its timeline, in eight hexadecimal digits.
    let timeline = if may.timeline { "left(pg_walfile_name(pg_current_wal_lsn()), 8)" } else { "NULL::TEXT" };
    let location: DatabaseLocation = diesel::sql_query(format!(
        "SELECT {system} AS system, {timeline} AS timeline,
                (SELECT oid::BIGINT FROM pg_database WHERE datname = current_database()) AS database,
                'chat_fanout_key'::regclass::oid::BIGINT AS relation"
    ))
    .get_result(connection)?;
    let timeline = location.timeline.as_deref().map_or("0", |timeline| timeline.trim_start_matches('0'));
    // An unsigned number in a signed column.
    let system = location.system.unwrap_or(0).cast_unsigned();
    Ok(format!("{system}-{timeline}-{}-{}", location.database, location.relation))
}

/// Said once: it is asked every few seconds.
fn warn_once() {
    static SAID: AtomicBool = AtomicBool::new(false);
    if !SAID.swap(true, Ordering::Relaxed) {
        warn!(
            "the database does not say which server it is on (EXECUTE on pg_control_system(), pg_current_wal_lsn() and \
             pg_walfile_name(pg_lsn)): a copy of it on another server must not have the same Redis, or needs another \
             CHAT_REDIS_PREFIX"
        );
    }
}
