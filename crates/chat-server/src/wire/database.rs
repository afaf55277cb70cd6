//! The database: which one, its repositories, and what a command does to it as a whole.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, ensure};
use chat_domain::model::Epoch;
use chat_domain::ports::{
    AgentDirectory, EventLog, HealthProbe, InboxReader, MessageRepository, Notifier, OrphanRegistry, PeopleDirectory,
    PresenceStore, RevocationStore, SessionRepository, SigningKeyStore, StatsReader, TicketStore, UploadRegistry,
};
use chat_postgres::{PgConfig, PgStore, PgUrl};
use chat_sqlite::{SqliteConfig, SqliteStore};
use tokio::task;

use crate::config::{Config, DatabaseUrl, Switch};
use crate::exclusive::{self, FileLock, Sharing};

/// The database.
pub(crate) enum Store {
    /// On SQLite.
    Sqlite(SqliteStore),
    /// On PostgreSQL.
    Postgres(PgStore),
}

/// What a database offers under the domain's use cases.
pub(super) struct Repositories {
    pub(super) sessions: Arc<dyn SessionRepository>,
    pub(super) inbox_reader: Arc<dyn InboxReader>,
    pub(super) messages: Arc<dyn MessageRepository>,
    pub(super) events: Arc<dyn EventLog>,
    pub(super) stats: Arc<dyn StatsReader>,
    pub(super) agents: Arc<dyn AgentDirectory>,
    pub(super) people: Arc<dyn PeopleDirectory>,
    pub(super) presence: Arc<dyn PresenceStore>,
    pub(super) revocations: Arc<dyn RevocationStore>,
    pub(super) tickets: Arc<dyn TicketStore>,
    pub(super) signing_keys: Arc<dyn SigningKeyStore>,
    pub(super) orphans: Arc<dyn OrphanRegistry>,
    pub(super) uploads: Arc<dyn UploadRegistry>,
    pub(super) health: Arc<dyn HealthProbe>,
}

impl Store {
    /// Brings the schema up to date unless the operator does that.
    ///
    /// # Errors
    /// What is wrong with the database, and what to do about it.
    pub(super) async fn bring_up_to_date(config: &Config) -> anyhow::Result<()> {
        let migrations = Migrations::of(config);
        let automatic = config.migrate;
        task::spawn_blocking(move || migrations.bring_up_to_date(automatic)).await?
    }

    /// Opens the database, which may be that of a server that is running: neither makes it nor changes its schema.
    ///
    /// # Errors
    /// What is wrong with the database, and what to do about it.
    pub(crate) async fn open_as_it_is(config: &Config, notifier: Arc<dyn Notifier>) -> anyhow::Result<Self> {
        match &config.database_url {
            DatabaseUrl::Sqlite(path) => {
                require_file(path)?;
                let settings = SqliteConfig {
                    readers: config.database_readers,
                    read_queue: config.read_queue,
                    queue: config.write_queue,
                    max_batch: config.write_batch,
                    ..SqliteConfig::new(path)
                };
                let store = SqliteStore::open(settings, notifier).await?;
                tracing::info!("sessions and messages are kept in the SQLite database {}", path.display());
                Ok(Self::Sqlite(store))
            }
            DatabaseUrl::Postgres(url) => {
                let settings = PgConfig {
                    readers: config.database_readers,
                    read_queue: config.read_queue,
                    writers: config.database_writers,
                    queue: config.write_queue,
                    max_batch: config.write_batch,
                    session_cache: config.session_cache,
                    ..PgConfig::new(url.expose())
                };
                let store = PgStore::open(settings, notifier).await?;
                tracing::info!("sessions and messages are kept in the PostgreSQL database {url}");
                Ok(Self::Postgres(store))
            }
        }
    }

    /// What it offers under the use cases.
    pub(super) fn repositories(&self) -> Repositories {
        match self {
            Self::Sqlite(store) => Repositories {
                sessions: Arc::clone(&store.sessions) as _,
                inbox_reader: Arc::clone(&store.sessions) as _,
                messages: Arc::clone(&store.messages) as _,
                events: Arc::clone(&store.events) as _,
                stats: Arc::clone(&store.stats) as _,
                agents: Arc::clone(&store.agents) as _,
                people: Arc::clone(&store.people) as _,
                presence: Arc::clone(&store.presence) as _,
                revocations: Arc::clone(&store.revocations) as _,
                tickets: Arc::clone(&store.tickets) as _,
                signing_keys: Arc::clone(&store.signing_keys) as _,
                orphans: Arc::clone(&store.orphans) as _,
                uploads: Arc::clone(&store.uploads) as _,
                health: Arc::clone(&store.health) as _,
            },
            Self::Postgres(store) => Repositories {
                sessions: Arc::clone(&store.sessions) as _,
                inbox_reader: Arc::clone(&store.sessions) as _,
                messages: Arc::clone(&store.messages) as _,
                events: Arc::clone(&store.events) as _,
                stats: Arc::clone(&store.stats) as _,
                agents: Arc::clone(&store.agents) as _,
                people: Arc::clone(&store.people) as _,
                presence: Arc::clone(&store.presence) as _,
                revocations: Arc::clone(&store.revocations) as _,
                tickets: Arc::clone(&store.tickets) as _,
                signing_keys: Arc::clone(&store.signing_keys) as _,
                orphans: Arc::clone(&store.orphans) as _,
                uploads: Arc::clone(&store.uploads) as _,
                health: Arc::clone(&store.health) as _,
            },
        }
    }

    /// The directory of agents.
    pub(crate) fn agents(&self) -> Arc<dyn AgentDirectory> {
        self.repositories().agents
    }

    /// Which database it is, wherever it lies.
    pub(super) fn identity(&self) -> &str {
        match self {
            Self::Sqlite(store) => store.identity(),
            Self::Postgres(store) => store.identity(),
        }
    }

    /// Whether several servers may use it at a time.
    pub(super) fn sharing(&self) -> Sharing {
        match self {
            Self::Sqlite(_) => Sharing::Alone,
            Self::Postgres(_) => Sharing::Shared,
        }
    }

    /// Writes what is still waiting and closes the database.
    pub(crate) async fn close(self) {
        match self {
            Self::Sqlite(store) => store.close().await,
            Self::Postgres(store) => store.close().await,
        }
    }
}

/// Keeps other servers away from stores that only one may use at a time: two servers on one SQLite file would not hear
/// of each other's changes, and people on one would miss what is said on the other. PostgreSQL is made for several.
///
/// # Errors
/// Another server is there.
pub(crate) fn hold_database(config: &Config) -> anyhow::Result<Option<FileLock>> {
    match &config.database_url {
        DatabaseUrl::Sqlite(path) => {
            let mut lock = path.clone().into_os_string();
            lock.push(".lock");
            let what = format!("the database {}", path.display());
            let option = "--database-url (CHAT_DATABASE_URL), such as sqlite:///var/lib/chat/chat.db, or --data-dir \
                          (CHAT_DATA_DIR)";
            exclusive::hold(&PathBuf::from(lock), &what, option, Sharing::Alone).map(Some)
        }
        DatabaseUrl::Postgres(_) => Ok(None),
    }
}

/// Refuses an SQLite file that does not exist, so that a command on a mistyped path does not create one.
pub(super) fn require_file(path: &Path) -> anyhow::Result<()> {
    let exists = path.try_exists().with_context(|| format!("cannot look for {}", path.display()))?;
    ensure!(
        exists,
        "there is no database {}; choose the server's with --data-dir (CHAT_DATA_DIR) or --database-url \
         (CHAT_DATABASE_URL), or make a new one with `chat-server migrate up`",
        path.display(),
    );
    Ok(())
}

/// Which history the positions of clients belong to. Blocks.
///
/// # Errors
/// What the database fails with.
pub(crate) fn epoch(config: &Config) -> anyhow::Result<Epoch> {
    match &config.database_url {
        DatabaseUrl::Sqlite(path) => {
            require_file(path)?;
            Ok(chat_sqlite::epoch::read(path)?)
        }
        DatabaseUrl::Postgres(url) => Ok(chat_postgres::epoch::read(url.expose())?),
    }
}

/// Begins a new history, and names it. Blocks. On SQLite it holds the file meanwhile, as a server does.
///
/// # Errors
/// A server runs on an SQLite file; what the database fails with.
pub(crate) fn rotate_epoch(config: &Config) -> anyhow::Result<Epoch> {
    match &config.database_url {
        DatabaseUrl::Sqlite(path) => {
            require_file(path)?;
            let _held = hold_database(config)?;
            Ok(chat_sqlite::epoch::rotate(path)?)
        }
        DatabaseUrl::Postgres(url) => Ok(chat_postgres::epoch::rotate(url.expose())?),
    }
}

/// The schema of the configured database. The methods block.
#[derive(Clone, Debug)]
pub(crate) enum Migrations {
    /// Of an SQLite file.
    Sqlite(PathBuf),
    /// Of a PostgreSQL database.
    Postgres(PgUrl),
}

impl Migrations {
    /// Those of the configured database.
    pub(crate) fn of(config: &Config) -> Self {
        match &config.database_url {
            DatabaseUrl::Sqlite(path) => Self::Sqlite(path.clone()),
            DatabaseUrl::Postgres(url) => Self::Postgres(url.clone()),
        }
    }

    /// Applies what is pending and returns the names.
    ///
    /// # Errors
    /// What the database fails with.
    pub(crate) fn up(&self) -> anyhow::Result<Vec<String>> {
        match self {
            Self::Sqlite(path) => Ok(chat_sqlite::migrate::up(path)?),
            Self::Postgres(url) => Ok(chat_postgres::migrate::up(url.expose())?),
        }
    }

    /// Applies what is pending, or refuses to go on with it when the operator applies migrations by hand.
    fn bring_up_to_date(&self, automatic: Switch) -> anyhow::Result<()> {
        match automatic {
            Switch::On => {
                let applied = self.up()?;
                if !applied.is_empty() {
                    tracing::info!("applied migrations: {}", applied.join(", "));
                }
            }
            Switch::Off => {
                let all = self.status()?;
                let pending: Vec<&str> =
                    all.iter().filter(|(_, applied)| !applied).map(|(name, _)| name.as_str()).collect();
                ensure!(
                    pending.is_empty(),
                    "the database misses migrations ({}) and --migrate (CHAT_MIGRATE) is off; run \
                     `chat-server migrate up`",
                    pending.join(", "),
                );
            }
        }
        Ok(())
    }

    /// Takes the newest migrations back and returns the names.
    ///
    /// # Errors
    /// What the database fails with.
    pub(crate) fn down(&self, steps: u32) -> anyhow::Result<Vec<String>> {
        match self {
            Self::Sqlite(path) => Ok(chat_sqlite::migrate::down(path, usize::try_from(steps)?)?),
            Self::Postgres(url) => Ok(chat_postgres::migrate::down(url.expose(), usize::try_from(steps)?)?),
        }
    }

    /// Every migration, oldest first, and whether it is applied.
    ///
    /// # Errors
    /// What the database fails with.
    pub(crate) fn status(&self) -> anyhow::Result<Vec<(String, bool)>> {
        match self {
            Self::Sqlite(path) => {
                let all = chat_sqlite::migrate::status(path)?;
                Ok(all.into_iter().map(|migration| (migration.name, migration.applied)).collect())
            }
            Self::Postgres(url) => {
                let all = chat_postgres::migrate::status(url.expose())?;
                Ok(all.into_iter().map(|migration| (migration.name, migration.applied)).collect())
            }
        }
    }
}
