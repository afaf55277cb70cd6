//! The composition root: the only file that names the adapters under the domain's ports. Each choice is a `match` on
//! the configuration without a default arm, and is logged at start.

use std::future::pending;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use chat_domain::model::{Epoch, FanoutCredentials, LiveEvent};
use chat_domain::ports::{
    AgentDirectory, AttachmentStore, Clock, EventLog, EventSink, HealthProbe, IdGenerator, MessageRepository, Notifier,
    OrphanRegistry, SessionRepository, StatsReader, StoreOwnership, TicketStore,
};
use chat_domain::service::{ChatService, OrphanCollector, Ports};
use chat_postgres::{PgConfig, PgStore};
use chat_realtime::{Hub, HubFeed, HubHealthProbe, HubSettings, LocalConnections, run_repair, run_typing_expiry};
/// What the configuration of Redis is read with: the adapter alone decides what it can use.
pub(crate) use chat_redis::{Prefix as RedisPrefix, PrivateAuthorities, RedisUrl};
use chat_redis::{RedisConfig, RedisFanout};
use chat_sqlite::{SqliteConfig, SqliteStore};
use chat_storage::LocalAttachmentStore;
use tokio::task;
use tokio::time::{MissedTickBehavior, interval};

use crate::background::Failure;
use crate::binding::{self, Bound};
use crate::config::{AttachmentsUrl, Config, DatabaseUrl, PostgresUrl, Switch};
use crate::exclusive::{self, Held, Sharing};
use crate::system::{SystemClock, UuidV7Generator};

/// The use cases on top of their adapters, with what must be run and closed beside them.
pub(crate) struct System {
    /// The use cases.
    pub(crate) service: ChatService,
    /// The clock of all of them.
    pub(crate) clock: Arc<dyn Clock>,
    /// The directory of agents.
    pub(crate) agents: Arc<dyn AgentDirectory>,
    /// Collects stored files that no message refers to.
    pub(crate) collector: OrphanCollector,
    /// What readiness depends on.
    pub(crate) probes: Vec<Arc<dyn HealthProbe>>,
    store: Store,
    hub: Arc<Hub>,
    events: Arc<dyn EventLog>,
    epoch: Epoch,
    redis: Option<Arc<RedisFanout>>,
    /// Held until the store is closed.
    attachments: Option<Held>,
}

impl System {
    /// Opens everything that the configuration names.
    ///
    /// # Errors
    /// What cannot be opened, and what to do about it.
    pub(crate) async fn assemble(config: &Config) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let hub = Hub::new(HubSettings::default(), Arc::clone(&clock));
        Store::bring_up_to_date(config).await?;
        let Fanout { notifier, redis } = Fanout::join(config, &hub, &clock).await?;
        let connections = LocalConnections::new(Arc::clone(&hub) as _);
        let store = Store::open_as_it_is(config, notifier).await?;
        let files = open_attachments(config, &store, Access::Alone)?;
        let collector = collector(config, &store, &files);
        let Attachments { store: attachments, probe: attachments_probe, held, .. } = files;
        let Repositories { sessions, messages, events, stats, agents, tickets, health: database_probe, .. } =
            store.repositories();
        let epoch = events.epoch().await?;
        let ports = Ports {
            sessions,
            messages,
            events: Arc::clone(&events),
            stats,
            agents: Arc::clone(&agents),
            attachments,
            // Use cases publish typing only, which the hub spreads to other servers as often as to its own watchers.
            notifier: Arc::clone(&hub) as _,
            feed: HubFeed::new(Arc::clone(&hub), Arc::clone(&events), epoch.clone()),
            connections,
            tickets,
            clock: Arc::clone(&clock),
            ids: Arc::new(UuidV7Generator),
        };
        let probes = vec![database_probe, HubHealthProbe::new(Arc::clone(&hub)) as _, attachments_probe];
        let service = ChatService::new(ports, config.rules());
        Ok(Self { service, clock, agents, collector, probes, store, hub, events, epoch, redis, attachments: held })
    }

    /// Lets every socket end; from now on none begins.
    pub(crate) fn end_streams(&self) {
        self.hub.shutdown();
    }

    /// Ends the typing of those who fell silent, for as long as it is polled.
    pub(crate) fn typing_expiry(&self) -> impl Future<Output = ()> + Send + use<> {
        run_typing_expiry(Arc::clone(&self.hub))
    }

    /// Compares watched sessions with the log when something may have been missed, for as long as it is polled.
    pub(crate) fn repair(&self) -> impl Future<Output = ()> + Send + use<> {
        run_repair(Arc::clone(&self.hub), Arc::clone(&self.events))
    }

    /// The history that this server serves.
    pub(crate) fn history(&self) -> History {
        History { at_start: self.epoch.clone(), events: Arc::clone(&self.events) }
    }

    /// Waits until what connects this server to the others is broken. Not when Redis is out of reach.
    pub(crate) fn fanout_failure(&self) -> impl Future<Output = Failure> + Send + use<> {
        let redis = self.redis.clone();
        async move {
            match redis {
                Some(redis) => Failure::Panicked(redis.panicked().await),
                None => pending().await,
            }
        }
    }

    /// Follows the database to where it moves, for as long as it is polled: a server that takes over has another name, which
    /// the other chat-servers go by too. It looks this often.
    pub(crate) fn fanout_renewal(&self, every: Duration) -> impl Future<Output = ()> + Send + use<> {
        let followed = match &self.store {
            Store::Postgres(store) => self.redis.clone().map(|redis| (redis, Arc::clone(&store.fanout))),
            // One server uses the file, so there is no other to agree with.
            Store::Sqlite(_) => None,
        };
        async move {
            let Some((redis, place)) = followed else { return pending().await };
            let mut rounds = interval(every);
            rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                rounds.tick().await;
                match place.current().await {
                    Ok(Some(credentials)) => {
                        let name = credentials.database.clone();
                        if redis.renew(credentials) {
                            tracing::info!("the database is {name} from now on, for what servers tell each other");
                        }
                    }
                    // It does not know better than what is known.
                    Ok(None) => tracing::debug!("a standby was asked where the database is"),
                    // Readiness tells about a database that fails.
                    Err(error) => tracing::debug!("cannot look at where the database is: {error}"),
                }
            }
        }
    }

    /// What is counted when somebody asks for it and not when it happens.
    pub(crate) fn watched(&self) -> Watched {
        Watched { hub: Arc::clone(&self.hub) }
    }

    /// Writes what is still waiting and closes the stores.
    pub(crate) async fn close(self) -> Farewell {
        let Self { service, collector, store, events, redis, attachments, .. } = self;
        drop((service, collector, events));
        store.close().await;
        drop(attachments);
        Farewell(redis)
    }
}

/// What the other servers have still to be told.
pub(crate) struct Farewell(Option<Arc<RedisFanout>>);

impl Farewell {
    /// Tells them what was written last, and that nothing more will come. What they are not told, they read.
    pub(crate) async fn say(self) {
        if let Some(redis) = self.0 {
            redis.close().await;
        }
    }
}

/// Which history the positions of clients belong to.
pub(crate) struct History {
    /// When the server started.
    pub(crate) at_start: Epoch,
    events: Arc<dyn EventLog>,
}

impl History {
    /// At the moment.
    ///
    /// # Errors
    /// What the database fails with.
    pub(crate) async fn now(&self) -> chat_domain::Result<Epoch> {
        self.events.epoch().await
    }
}

/// What is watched on this server.
pub(crate) struct Watched {
    hub: Arc<Hub>,
}

impl Watched {
    /// How many streams are open.
    pub(crate) fn subscriptions(&self) -> usize {
        self.hub.subscriptions()
    }

    /// How many sessions they are of.
    pub(crate) fn sessions(&self) -> usize {
        self.hub.sessions()
    }
}

/// How events reach the sockets: of several servers, or of this one.
struct Fanout {
    notifier: Arc<dyn Notifier>,
    redis: Option<Arc<RedisFanout>>,
}

impl Fanout {
    async fn join(config: &Config, hub: &Arc<Hub>, clock: &Arc<dyn Clock>) -> anyhow::Result<Self> {
        let notifier: Arc<dyn Notifier> = Arc::clone(hub) as _;
        let sink: Arc<dyn EventSink> = Arc::clone(hub) as _;
        match (&config.redis_url, &config.database_url) {
            (Some(url), _) => {
                let node = UuidV7Generator.next_id();
                let settings = RedisConfig {
                    prefix: config.redis_prefix.clone(),
                    authorities: config.redis_authorities.clone(),
                    ..RedisConfig::new(url.clone(), node)
                };
                let credentials = fanout_credentials(config).await?;
                let redis = RedisFanout::connect(settings, credentials, Arc::clone(clock), sink)?;
                // What the hub says of typing has been told on this server already.
                hub.forward_to(redis.notifier(nobody_listens()));
                tracing::info!(%node, "live events are spread to other servers through {url}");
                Ok(Self { notifier: redis.notifier(notifier), redis: Some(Arc::new(redis)) })
            }
            (None, DatabaseUrl::Sqlite(_)) => {
                tracing::info!("live events are spread within this process");
                Ok(Self { notifier, redis: None })
            }
            (None, DatabaseUrl::Postgres(_)) => {
                tracing::info!(
                    "live events are spread within this process; where other servers use this database, sockets here hear \
                     of theirs up to 15 s late unless --redis-url (CHAT_REDIS_URL) is set"
                );
                Ok(Self { notifier, redis: None })
            }
        }
    }
}

/// What servers of this database know each other by.
async fn fanout_credentials(config: &Config) -> anyhow::Result<FanoutCredentials> {
    let database = config.database_url.clone();
    let read = move || match &database {
        DatabaseUrl::Sqlite(_) => bail!("one server uses an SQLite file, and has no others to tell through Redis"),
        DatabaseUrl::Postgres(url) => Ok(chat_postgres::fanout_credentials::read(url.expose())?),
    };
    task::spawn_blocking(read).await?
}

/// The database.
pub(crate) enum Store {
    /// On SQLite.
    Sqlite(SqliteStore),
    /// On PostgreSQL.
    Postgres(PgStore),
}

/// What a database offers under the domain's use cases.
struct Repositories {
    sessions: Arc<dyn SessionRepository>,
    messages: Arc<dyn MessageRepository>,
    events: Arc<dyn EventLog>,
    stats: Arc<dyn StatsReader>,
    agents: Arc<dyn AgentDirectory>,
    tickets: Arc<dyn TicketStore>,
    orphans: Arc<dyn OrphanRegistry>,
    health: Arc<dyn HealthProbe>,
}

impl Store {
    /// Brings the schema up to date unless the operator does that.
    ///
    /// # Errors
    /// What is wrong with the database, and what to do about it.
    async fn bring_up_to_date(config: &Config) -> anyhow::Result<()> {
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
                let exists = path.try_exists().with_context(|| format!("cannot look for {}", path.display()))?;
                ensure!(
                    exists,
                    "there is no database {}; choose the server's with --data-dir (CHAT_DATA_DIR) or --database-url \
                     (CHAT_DATABASE_URL), or make a new one with `chat-server migrate up`",
                    path.display(),
                );
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
                    remembered_sessions: config.remembered_sessions,
                    ..PgConfig::new(url.expose())
                };
                let store = PgStore::open(settings, notifier).await?;
                tracing::info!("sessions and messages are kept in the PostgreSQL database {url}");
                Ok(Self::Postgres(store))
            }
        }
    }

    /// What it offers under the use cases.
    fn repositories(&self) -> Repositories {
        match self {
            Self::Sqlite(store) => Repositories {
                sessions: Arc::clone(&store.sessions) as _,
                messages: Arc::clone(&store.messages) as _,
                events: Arc::clone(&store.events) as _,
                stats: Arc::clone(&store.stats) as _,
                agents: Arc::clone(&store.agents) as _,
                tickets: Arc::clone(&store.tickets) as _,
                orphans: Arc::clone(&store.orphans) as _,
                health: Arc::clone(&store.health) as _,
            },
            Self::Postgres(store) => Repositories {
                sessions: Arc::clone(&store.sessions) as _,
                messages: Arc::clone(&store.messages) as _,
                events: Arc::clone(&store.events) as _,
                stats: Arc::clone(&store.stats) as _,
                agents: Arc::clone(&store.agents) as _,
                tickets: Arc::clone(&store.tickets) as _,
                orphans: Arc::clone(&store.orphans) as _,
                health: Arc::clone(&store.health) as _,
            },
        }
    }

    /// The directory of agents.
    pub(crate) fn agents(&self) -> Arc<dyn AgentDirectory> {
        self.repositories().agents
    }

    /// Which database it is, wherever it lies.
    fn identity(&self) -> &str {
        match self {
            Self::Sqlite(store) => store.identity(),
            Self::Postgres(store) => store.identity(),
        }
    }

    /// Whether several servers may use it at a time.
    fn sharing(&self) -> Sharing {
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

/// The attachment store, what tells its state, and the hold on it.
struct Attachments {
    store: Arc<dyn AttachmentStore>,
    ownership: Arc<dyn StoreOwnership>,
    probe: Arc<dyn HealthProbe>,
    held: Option<Held>,
}

/// Who else may use the stored files meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nobody, or all servers of a database that takes several.
    Alone,
    /// Anyone: nothing is changed.
    Look,
}

/// Opens the attachment store of this database, and of no other.
fn open_attachments(config: &Config, database: &Store, access: Access) -> anyhow::Result<Attachments> {
    match &config.attachments_url {
        AttachmentsUrl::File(path) => {
            let store = Arc::new(LocalAttachmentStore::open(path)?);
            let name = config.database_url.to_string();
            let bound = Bound { identity: database.identity(), name: &name, sharing: database.sharing() };
            let held = match access {
                Access::Alone => Some(binding::bind(path, bound)?),
                Access::Look => {
                    binding::verify(path, bound)?;
                    None
                }
            };
            tracing::info!("attachments are kept in the directory {}", path.display());
            let ownership = Arc::<LocalAttachmentStore>::clone(&store);
            Ok(Attachments { store: Arc::clone(&store) as _, ownership, probe: store, held })
        }
    }
}

/// What collects the stored files that the database does not know.
fn collector(config: &Config, database: &Store, files: &Attachments) -> OrphanCollector {
    let Repositories { messages, orphans, .. } = database.repositories();
    OrphanCollector {
        attachments: Arc::clone(&files.store),
        ownership: Arc::clone(&files.ownership),
        messages,
        registry: orphans,
        clock: Arc::new(SystemClock),
        ids: Arc::new(UuidV7Generator),
        waits: config.orphan_waits(),
    }
}

/// The stored files and the database that knows them, for a command.
pub(crate) struct StoredFiles {
    /// Collects those that no message refers to.
    pub(crate) collector: OrphanCollector,
    store: Store,
    _attachments: Option<Held>,
}

impl StoredFiles {
    /// Opens both as they are.
    ///
    /// # Errors
    /// One of the two is missing or belongs elsewhere; with `Access::Alone`, a server uses them.
    pub(crate) async fn open(config: &Config, access: Access) -> anyhow::Result<Self> {
        let store = Store::open_as_it_is(config, nobody_listens()).await?;
        let files = open_attachments(config, &store, access)?;
        Ok(Self { collector: collector(config, &store, &files), store, _attachments: files.held })
    }

    /// Closes both.
    pub(crate) async fn close(self) {
        drop(self.collector);
        self.store.close().await;
    }
}

/// Keeps other servers away from stores that only one may use at a time: two servers on one SQLite file would not hear
/// of each other's changes, and people on one would miss what is said on the other. PostgreSQL is made for several.
///
/// # Errors
/// Another server is there.
pub(crate) fn hold_database(config: &Config) -> anyhow::Result<Option<Held>> {
    match &config.database_url {
        DatabaseUrl::Sqlite(path) => {
            let mut lock = path.clone().into_os_string();
            lock.push(".lock");
            let what = format!("the database {}", path.display());
            exclusive::hold(&PathBuf::from(lock), &what, "--data-dir (CHAT_DATA_DIR)", Sharing::Alone).map(Some)
        }
        DatabaseUrl::Postgres(_) => Ok(None),
    }
}

/// For what no socket of this process has to hear of.
pub(crate) fn nobody_listens() -> Arc<dyn Notifier> {
    struct Silence;
    impl Notifier for Silence {
        fn publish(&self, _: LiveEvent) {}
    }
    Arc::new(Silence)
}

/// Which history the positions of clients belong to. Blocks.
///
/// # Errors
/// What the database fails with.
pub(crate) fn epoch(config: &Config) -> anyhow::Result<Epoch> {
    match &config.database_url {
        DatabaseUrl::Sqlite(path) => Ok(chat_sqlite::epoch::read(path)?),
        DatabaseUrl::Postgres(url) => Ok(chat_postgres::epoch::read(url.expose())?),
    }
}

/// Begins a new history, and names it. Blocks.
///
/// # Errors
/// What the database fails with.
pub(crate) fn rotate_epoch(config: &Config) -> anyhow::Result<Epoch> {
    match &config.database_url {
        DatabaseUrl::Sqlite(path) => Ok(chat_sqlite::epoch::rotate(path)?),
        DatabaseUrl::Postgres(url) => Ok(chat_postgres::epoch::rotate(url.expose())?),
    }
}

/// The schema of the configured database. The methods block.
#[derive(Clone, Debug)]
pub(crate) enum Migrations {
    /// Of an SQLite file.
    Sqlite(PathBuf),
    /// Of a PostgreSQL database.
    Postgres(PostgresUrl),
}

impl Migrations {
    /// Those of the configured database.
    pub(crate) fn of(config: &Config) -> Self {
        match &config.database_url {
            DatabaseUrl::Sqlite(path) => Self::Sqlite(path.clone()),
            DatabaseUrl::Postgres(url) => Self::Postgres(url.clone()),
        }
    }

    /// Applies what is pending and answers with the names.
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

    /// Takes the newest migrations back and answers with the names.
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
