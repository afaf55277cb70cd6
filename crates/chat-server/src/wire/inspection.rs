//! What `doctor` asks the adapters: how the parts that the configuration names are set up. Starts no node and changes
//! nothing that lasts.

use std::path::Path;

use anyhow::{Context, anyhow};
use chat_domain::model::{AttachmentId, Timestamp};
use chat_domain::ports::IdGenerator;
use chat_postgres::inspection as postgres;
pub(crate) use chat_postgres::inspection::{PgFacts, RecountReport, RecountScope};
use chat_redis::inspection as redis;
pub(crate) use chat_redis::inspection::RedisFacts;
use chat_sqlite::inspection as sqlite;
pub(crate) use chat_sqlite::inspection::SqliteFacts;
use chat_storage::{LocalAttachmentStore, S3BindError};
use uuid::Uuid;

use super::attachments::{bucket, explained, open_fallback};
use crate::binding::{self, Bound};
use crate::config::{AttachmentsUrl, Config, DatabaseUrl};
use crate::exclusive::Sharing;
use crate::system::UuidV7Generator;

/// How the database is set up.
#[derive(Debug)]
pub(crate) enum DatabaseFacts {
    /// An SQLite file that is not there.
    Missing,
    /// An SQLite file.
    Sqlite(SqliteFacts),
    /// A PostgreSQL database, and the migrations that it lacks or why they are not known.
    Postgres(PgFacts, Result<Vec<String>, String>),
}

/// How the configured database is set up. Blocks.
///
/// # Errors
/// It cannot be reached, read or used.
pub(crate) fn database_facts(config: &Config) -> anyhow::Result<DatabaseFacts> {
    match &config.database_url {
        DatabaseUrl::Sqlite(path) => {
            if !path.try_exists().with_context(|| format!("cannot look for {}", path.display()))? {
                return Ok(DatabaseFacts::Missing);
            }
            Ok(DatabaseFacts::Sqlite(sqlite::facts(path)?))
        }
        DatabaseUrl::Postgres(url) => {
            let facts = postgres::facts(url.expose())?;
            let pending = if facts.is_read_only {
                Err("a server that takes no writes is not asked".to_owned())
            } else {
                postgres::pending(url.expose()).map_err(|error| error.to_string())
            };
            Ok(DatabaseFacts::Postgres(facts, pending))
        }
    }
}

/// Compares counters with the rows that they count. Blocks.
///
/// # Errors
/// What the database fails with.
pub(crate) fn recount(config: &Config, scope: RecountScope) -> anyhow::Result<RecountReport> {
    let random = UuidV7Generator.next_id().as_u128().rotate_left(64);
    match &config.database_url {
        DatabaseUrl::Sqlite(path) => Ok(sqlite::recount(path, scope, random)?),
        DatabaseUrl::Postgres(url) => Ok(postgres::recount(url.expose(), scope, random)?),
    }
}

/// What Redis says, where one is configured.
pub(crate) async fn redis_facts(config: &Config) -> Option<Result<RedisFacts, String>> {
    let url = config.redis_url.as_ref()?;
    let authorities = config.redis_authorities.clone();
    Some(redis::facts(url, authorities, &config.redis_prefix, UuidV7Generator.next_id()).await)
}

/// What a trial of the attachment store has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreCheck {
    /// No node has used it yet.
    Unused,
    /// It belongs to the database, and takes files.
    Usable,
}

/// Tries the attachment store, if a node has used it.
///
/// # Errors
/// It takes no files, or belongs to another database.
pub(crate) async fn try_store(config: &Config) -> anyhow::Result<StoreCheck> {
    match &config.attachments_url {
        AttachmentsUrl::File(path) => {
            if !binding::is_marked(path)? {
                return Ok(StoreCheck::Unused);
            }
            verify_binding(config, path)?;
            LocalAttachmentStore::try_out(path)?;
            Ok(StoreCheck::Usable)
        }
        AttachmentsUrl::S3(location) => {
            let store = bucket(location)?;
            if let Some(identity) = identity(config) {
                let name = config.database_url.to_string();
                match store.verify_bound(&identity).await {
                    Ok(()) => {}
                    Err(S3BindError::Unused { .. }) => return Ok(StoreCheck::Unused),
                    Err(error) => return Err(explained(error, bound(config, &identity, &name))),
                }
            }
            store.try_out().await.map_err(anyhow::Error::msg)?;
            Ok(StoreCheck::Usable)
        }
    }
}

/// What a look at the place that is read besides has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FallbackCheck {
    /// It has files.
    Used,
    /// It has no files.
    Empty,
    /// There is no database yet that could say whether the files are its own.
    Unknown,
}

/// Looks at the place that is read besides, if one is configured.
///
/// # Errors
/// It cannot be read, or belongs to another database.
pub(crate) async fn try_fallback(config: &Config) -> Option<anyhow::Result<FallbackCheck>> {
    Some(look_into(config, config.attachments_fallback_url.as_ref()?).await)
}

async fn look_into(config: &Config, fallback: &AttachmentsUrl) -> anyhow::Result<FallbackCheck> {
    let Some(identity) = identity(config) else { return Ok(FallbackCheck::Unknown) };
    let store = open_fallback(fallback, bound(config, &identity, &config.database_url.to_string())).await?;
    let (everything, first) = (Timestamp::from_unix_ms(i64::MAX), AttachmentId::new(Uuid::nil()));
    // Its text has its causes.
    let files = store.stored_before(everything, Some(first), 1).await.map_err(|error| anyhow!("{error}"))?;
    Ok(if files.is_empty() { FallbackCheck::Empty } else { FallbackCheck::Used })
}

/// Checks that the files belong to the database.
fn verify_binding(config: &Config, path: &Path) -> anyhow::Result<()> {
    let Some(identity) = identity(config) else { return Ok(()) };
    binding::verify(path, bound(config, &identity, &config.database_url.to_string()))
}

/// Which database it is. What it fails with is reported by its own check.
fn identity(config: &Config) -> Option<String> {
    match &config.database_url {
        DatabaseUrl::Sqlite(path) => sqlite::identity(path).ok(),
        DatabaseUrl::Postgres(url) => postgres::identity(url.expose()).ok(),
    }
}

fn bound<'a>(config: &Config, identity: &'a str, name: &'a str) -> Bound<'a> {
    let sharing = match &config.database_url {
        DatabaseUrl::Sqlite(_) => Sharing::Alone,
        DatabaseUrl::Postgres(_) => Sharing::Shared,
    };
    Bound { identity, name, sharing }
}
