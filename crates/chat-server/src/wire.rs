//! The composition root: the only module, with its children, that names the adapters under the domain's ports. Each choice
//! is a `match` on the configuration without a default arm, and is logged at start.

mod database;
mod fanout;

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use chat_domain::model::{Epoch, LiveEvent};
use chat_domain::ports::{AgentDirectory, AttachmentStore, Clock, EventLog, HealthProbe, Notifier, StoreOwnership};
use chat_domain::service::{ChatService, OrphanCollector, Ports};
use chat_realtime::{Hub, HubFeed, HubHealthProbe, HubSettings, LocalConnections, run_repair, run_typing_expiry};
use chat_redis::RedisFanout;
/// What the configuration of Redis is read with: the adapter alone decides what it can use.
pub(crate) use chat_redis::{Prefix as RedisPrefix, PrivateAuthorities, RedisUrl};
use chat_storage::LocalAttachmentStore;

use self::database::Repositories;
pub(crate) use self::database::{Migrations, Store, epoch, hold_database, rotate_epoch};
use self::fanout::Fanout;
use crate::background::Failure;
use crate::binding::{self, Bound};
use crate::config::{AttachmentsUrl, Config};
use crate::exclusive::Held;
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
        fanout::follow(self.redis.clone(), &self.store, every)
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

/// For what no socket of this process has to hear of.
pub(crate) fn nobody_listens() -> Arc<dyn Notifier> {
    struct Silence;
    impl Notifier for Silence {
        fn publish(&self, _: LiveEvent) {}
    }
    Arc::new(Silence)
}
