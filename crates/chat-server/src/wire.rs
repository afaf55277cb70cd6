//! The composition root: the only module, with its children, that names the adapters under the domain's ports. Each choice
//! is a `match` on the configuration without a default arm, and is logged at start.

mod attachments;
mod backup;
mod database;
mod fanout;
mod fixed_limits;
mod inspection;

use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_domain::model::{Epoch, LiveEvent};
use chat_domain::ports::{
    AgentDirectory, Clock, EventLog, HealthProbe, InboxReader, Notifier, SigningKeyStore, StatsReader,
};
use chat_domain::service::{ChatService, OrphanCollector, Ports};
use chat_realtime::{
    Hub, HubFeed, HubHealthProbe, HubInboxFeed, HubSettings, LocalSockets, run_inboxes, run_repair, run_typing_expiry,
};
use chat_redis::{FanoutTask, RedisFanout};
use chat_thumbnails::ImageThumbnailMaker;
use tokio::runtime::Handle;
use tokio::time::timeout;

use self::attachments::Attachments;
pub(crate) use self::attachments::{MigratingFiles, StoreAccess, unused_aws_variables};
pub(crate) use self::backup::{
    Embedded, StoredFile, adopt, copy_database, files_of, files_to_read, hold_files, new_files, renew_database,
    verify_database,
};
use self::database::Repositories;
pub(crate) use self::database::{Migrations, Store, epoch, hold_database, rotate_epoch};
use self::fanout::EventFanout;
pub(crate) use self::fixed_limits::limits_reference;
pub(crate) use self::inspection::{
    DatabaseFacts, FallbackCheck, PgFacts, RecountReport, RecountScope, SqliteFacts, StoreCheck, database_facts,
    recount, redis_facts, try_fallback, try_store,
};
use crate::config::Config;
use crate::exclusive::FileLock;
use crate::system::{SystemClock, UuidV7Generator};

/// The use cases on top of their adapters, with what must be run and closed beside them.
pub(crate) struct System {
    /// The use cases.
    pub(crate) service: ChatService,
    /// The clock of all of them.
    pub(crate) clock: Arc<dyn Clock>,
    /// The directory of agents.
    pub(crate) agents: Arc<dyn AgentDirectory>,
    /// Reads the key that tickets for downloads are signed with.
    pub(crate) signing_keys: Arc<dyn SigningKeyStore>,
    /// Collects stored files that no message refers to.
    pub(crate) collector: OrphanCollector,
    /// What readiness depends on.
    pub(crate) probes: Vec<Arc<dyn HealthProbe>>,
    store: Store,
    hub: Arc<Hub>,
    events: Arc<dyn EventLog>,
    inbox_reader: Arc<dyn InboxReader>,
    epoch: Epoch,
    redis: Option<Arc<RedisFanout>>,
    fanout_tasks: Vec<FanoutTask>,
    /// Held until the store is closed.
    attachments: Option<FileLock>,
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
        let EventFanout { notifier, redis, tasks: fanout_tasks } = EventFanout::join(config, &hub, &clock).await?;
        let sockets = LocalSockets::new(Arc::clone(&hub) as _);
        let store = Store::open_as_it_is(config, notifier).await?;
        let files = Attachments::open(config, &store, StoreAccess::Alone).await?;
        let collector = collector(config, &store, &files);
        let Attachments { store: attachments, thumbnails, probe: attachments_probe, held, .. } = files;
        let thumbnail_maker =
            ImageThumbnailMaker::new(Handle::current(), Arc::clone(&attachments), Arc::clone(&thumbnails));
        let Repositories {
            sessions,
            inbox_reader,
            messages,
            events,
            stats,
            agents,
            people,
            presence,
            revocations,
            tickets,
            signing_keys,
            uploads,
            health,
            ..
        } = store.repositories();
        let epoch = events.epoch().await?;
        let ports = Ports {
            sessions,
            messages,
            events: Arc::clone(&events),
            stats,
            agents: Arc::clone(&agents),
            people,
            presence,
            revocations,
            uploads,
            attachments,
            thumbnails,
            thumbnail_maker: Arc::new(thumbnail_maker),
            // Use cases publish typing only, which the hub spreads to other servers as often as to its own subscriptions.
            notifier: Arc::clone(&hub) as _,
            feed: HubFeed::new(Arc::clone(&hub), Arc::clone(&events), epoch.clone()),
            inboxes: HubInboxFeed::new(Arc::clone(hub.inboxes()), Arc::clone(&inbox_reader)),
            sockets,
            tickets,
            clock: Arc::clone(&clock),
            ids: Arc::new(UuidV7Generator),
        };
        let probes = vec![health, HubHealthProbe::new(Arc::clone(&hub)) as _, attachments_probe];
        let service = ChatService::new(ports, config.rules());
        // Before the first request: one of a person who was signed out or blocked is refused.
        service.refresh_revocations().await?;
        let attachments = held;
        Ok(Self {
            service,
            clock,
            agents,
            signing_keys,
            collector,
            probes,
            store,
            hub,
            events,
            inbox_reader,
            epoch,
            redis,
            fanout_tasks,
            attachments,
        })
    }

    /// Writes down when the agents left whose sockets have ended, so that they are not shown as offline early. If that takes
    /// longer than the limit, other nodes know them from up to 20 s before.
    pub(crate) async fn report_presence(&self, limit: Duration) {
        match timeout(limit, self.service.report_presence(Instant::now())).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::debug!("cannot note which agents have left: {error}"),
            Err(_elapsed) => tracing::debug!("could not note in time which agents have left"),
        }
    }

    /// Lets every socket end; from now on none begins.
    pub(crate) fn end_streams(&self) {
        self.hub.shutdown();
        // Those that have no stream at the moment.
        self.service.close_sockets();
    }

    /// Ends the typing of those who fell silent, for as long as it is polled.
    pub(crate) fn typing_expiry(&self) -> impl Future<Output = ()> + Send + use<> {
        run_typing_expiry(Arc::clone(&self.hub))
    }

    /// Compares sessions that have subscriptions with the log when something may have been missed, for as long as it is polled.
    pub(crate) fn repair(&self) -> impl Future<Output = ()> + Send + use<> {
        run_repair(Arc::clone(&self.hub), Arc::clone(&self.events))
    }

    /// Reads what changes for the open inboxes, for as long as it is polled.
    pub(crate) fn inboxes(&self) -> impl Future<Output = ()> + Send + use<> {
        run_inboxes(Arc::clone(&self.hub), Arc::clone(&self.inbox_reader))
    }

    /// The history that this server serves.
    pub(crate) fn history(&self) -> DatabaseHistory {
        DatabaseHistory { at_start: self.epoch.clone(), events: Arc::clone(&self.events) }
    }

    /// The tasks that connect this node to the others, to be run until [`ShutdownNotice::send`] has returned.
    pub(crate) fn take_fanout_tasks(&mut self) -> Vec<FanoutTask> {
        std::mem::take(&mut self.fanout_tasks)
    }

    /// Follows the database to where it moves, for as long as it is polled: a server that takes over has another name, which
    /// the other chat-servers go by too. It looks this often.
    pub(crate) fn fanout_renewal(&self, every: Duration) -> impl Future<Output = ()> + Send + use<> {
        fanout::follow(self.redis.clone(), &self.store, every)
    }

    /// What an operator of the desk asks.
    pub(crate) fn desk(&self) -> Desk {
        let (stats, clock) = (self.store.repositories().stats, Arc::clone(&self.clock));
        Desk { service: self.service.clone(), stats, clock }
    }

    /// The numbers of subscriptions, sessions and inboxes on this node, which are counted when they are asked for.
    pub(crate) fn hub_counts(&self) -> HubCounts {
        HubCounts { hub: Arc::clone(&self.hub) }
    }

    /// Writes what is still waiting and closes the stores.
    pub(crate) async fn close(self) -> ShutdownNotice {
        let Self { service, collector, store, events, inbox_reader, redis, attachments, .. } = self;
        drop((service, collector, events, inbox_reader));
        store.close().await;
        drop(attachments);
        ShutdownNotice(redis)
    }
}

/// The notice to the other nodes that this node stops.
pub(crate) struct ShutdownNotice(Option<Arc<RedisFanout>>);

impl ShutdownNotice {
    /// Publishes the events that still wait, and the end of this node. What does not arrive, the others read from the
    /// database.
    pub(crate) async fn send(self) {
        if let Some(redis) = self.0 {
            redis.close().await;
        }
    }
}

/// Which history the positions of clients belong to.
pub(crate) struct DatabaseHistory {
    /// When the server started.
    pub(crate) at_start: Epoch,
    events: Arc<dyn EventLog>,
}

impl DatabaseHistory {
    /// At the moment.
    ///
    /// # Errors
    /// What the database fails with.
    pub(crate) async fn now(&self) -> chat_domain::Result<Epoch> {
        self.events.epoch().await
    }
}

/// The queue of the desk, and who is there.
pub(crate) struct Desk {
    service: ChatService,
    stats: Arc<dyn StatsReader>,
    clock: Arc<dyn Clock>,
}

impl Desk {
    /// How many agents have a socket on this node.
    pub(crate) fn agents_online(&self) -> usize {
        self.service.agents_online()
    }

    /// How many open sessions have no agent, and how long ago the oldest of them was opened.
    ///
    /// # Errors
    /// What the database fails with.
    pub(crate) async fn waiting(&self) -> chat_domain::Result<(u64, Duration)> {
        let waiting = self.stats.waiting().await?;
        let longest = waiting.oldest.map(|oldest| self.clock.now().since(oldest)).unwrap_or_default();
        Ok((waiting.count, longest))
    }
}

/// Counts the subscriptions, sessions and inboxes of this node.
pub(crate) struct HubCounts {
    hub: Arc<Hub>,
}

impl HubCounts {
    /// How many subscriptions there are.
    pub(crate) fn subscriptions(&self) -> usize {
        self.hub.subscriptions()
    }

    /// To how many sessions.
    pub(crate) fn sessions(&self) -> usize {
        self.hub.sessions()
    }

    /// How many inboxes are open.
    pub(crate) fn inboxes(&self) -> usize {
        self.hub.inboxes().len()
    }
}

/// What collects the stored files that the database does not know.
fn collector(config: &Config, database: &Store, files: &Attachments) -> OrphanCollector {
    let Repositories { messages, orphans, uploads, .. } = database.repositories();
    OrphanCollector {
        attachments: Arc::clone(&files.store),
        ownership: Arc::clone(&files.ownership),
        messages,
        registry: orphans,
        uploads,
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
    _attachments: Option<FileLock>,
}

impl StoredFiles {
    /// Opens both as they are.
    ///
    /// # Errors
    /// One of the two is missing or belongs elsewhere; with `StoreAccess::Alone`, a server uses them.
    pub(crate) async fn open(config: &Config, access: StoreAccess) -> anyhow::Result<Self> {
        let store = Store::open_as_it_is(config, Arc::new(NullNotifier)).await?;
        let files = Attachments::open(config, &store, access).await?;
        Ok(Self { collector: collector(config, &store, &files), store, _attachments: files.held })
    }

    /// Closes both.
    pub(crate) async fn close(self) {
        drop(self.collector);
        self.store.close().await;
    }
}

/// Discards events, for commands that have no sockets.
pub(crate) struct NullNotifier;

impl Notifier for NullNotifier {
    fn publish(&self, _: LiveEvent) {}
}
