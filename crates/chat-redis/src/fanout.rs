//! A node's part in what nodes share: what is made of it, and how it starts and ends.

use std::sync::Arc;
use std::time::Duration;

use chat_domain::model::FanoutCredentials;
use chat_domain::ports::{Clock, EventSink, Missed, Notifier};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::config::{ConfigError, RedisConfig};
use crate::dial::Dialer;
use crate::dirty::Suspects;
use crate::envelope::own_prefix;
use crate::freshness::Freshness;
use crate::inbox::Inbox;
use crate::line::Line;
use crate::link::Link;
use crate::metering::Metering;
use crate::names::{Names, SHARDS};
use crate::outbox::{Outbox, RedisNotifier};
use crate::reader::Reader;
use crate::signature::Signer;
use crate::skew::Skew;
use crate::status::Status;
use crate::tasks::Tasks;

/// How long the last words may take at the end.
const FAREWELL: Duration = Duration::from_secs(2);

/// Connects this node to the others through Redis.
///
/// Redis may be out of reach at any time, also at the start: the sink is told, and this keeps trying. Nothing that is
/// made here fails because of it, so a node that cannot reach Redis stays ready.
pub struct RedisFanout {
    names: Names,
    sink: Arc<dyn EventSink>,
    signer: watch::Sender<Arc<Signer>>,
    outbox: Outbox,
    status: Arc<Status>,
    /// Ends what has something left to say.
    closing: watch::Sender<bool>,
    tasks: Tasks,
}

impl RedisFanout {
    /// Starts to connect, and returns at once. Until the other nodes are heard, the sink knows that they are not. Nodes
    /// with other credentials are not heard.
    ///
    /// The tasks run on the runtime that this is called on, which should be one that outlives single requests.
    ///
    /// # Errors
    /// The configuration cannot be used, or there is no runtime. Never because Redis is out of reach.
    pub fn connect(
        config: RedisConfig,
        credentials: FanoutCredentials,
        clock: Arc<dyn Clock>,
        sink: Arc<dyn EventSink>,
    ) -> Result<Self, ConfigError> {
        let dialer = Dialer::new(&config.url, config.authorities)?;
        let runtime = Handle::try_current().map_err(|_| ConfigError::NoRuntime)?;
        let RedisConfig { node, prefix, queue, .. } = config;
        let names = Names::new(prefix.as_str());
        let (signer, current) = watch::channel(Arc::new(Signer::new(names.clone(), credentials)));
        let metering = Metering::new();
        let status = Arc::new(Status::new(metering.clone()));
        let (closing, closing_watch) = watch::channel(false);
        let (outbox, outgoing, lost) = Outbox::new(queue, metering.clone());
        let (inbox, incoming, dirty) = Inbox::new(queue, names.clone(), own_prefix(node), metering.clone());
        let (control, controlled) = mpsc::unbounded_channel();
        let (deaf, deaf_watch) = watch::channel(0);

        // Nodes begin at different servers, so that each of those has its share.
        let (_, first) = node.as_u64_pair();
        sink.heard(false);
        let reader = Reader {
            me: node,
            link: Link::new(node),
            freshness: Freshness::default(),
            skew: Skew::default(),
            signer: current.clone(),
            clock: Arc::clone(&clock),
            sink: Arc::clone(&sink),
            inbox: incoming,
            suspects: Suspects::new(dirty),
            control: controlled,
            deaf,
            status: Arc::clone(&status),
            metering: metering.clone(),
            generation: 0,
        };
        let line = Line {
            me: node,
            first,
            dialer,
            names: names.clone(),
            outbox: outgoing,
            lost,
            counters: [0; SHARDS as usize],
            beats: 0,
            signer: current,
            clock,
            inbox,
            control,
            deaf: deaf_watch,
            closing: closing_watch,
            status: Arc::clone(&status),
            metering,
        };
        let tasks = Tasks::default();
        tasks.spawn(&runtime, "redis reader", reader.run());
        tasks.spawn(&runtime, "redis line", line.run());
        Ok(Self { names, sink, signer, outbox, status, closing, tasks })
    }

    /// A notifier that spreads events on this node through `local`, and then to the other nodes. It never waits: what
    /// finds no room on the way to Redis is found by the other nodes as a gap.
    pub fn notifier(&self, local: Arc<dyn Notifier>) -> Arc<dyn Notifier> {
        Arc::new(RedisNotifier::new(local, self.outbox.clone()))
    }

    /// Goes on with these credentials if they are others, and says whether they are: the database may have moved to another
    /// server. What the other nodes said meanwhile is looked for. A node has one epoch for as long as it lives.
    pub fn renew(&self, credentials: FanoutCredentials) -> bool {
        let is_newer = {
            let signer = self.signer.borrow();
            signer.credentials != credentials && signer.credentials.epoch == credentials.epoch
        };
        if is_newer {
            self.signer.send_replace(Arc::new(Signer::new(self.names.clone(), credentials)));
            self.sink.missed(Missed::Everywhere);
        }
        is_newer
    }

    /// Whether the other nodes are heard at the moment. No reason to take a node out of service: what it does not hear, it
    /// reads from the database.
    pub fn is_connected(&self) -> bool {
        self.status.is_heard()
    }

    /// Why Redis cannot be used, in words for an operator, from the first attempt that failed until the other nodes are
    /// heard. Names servers, and no passwords.
    pub fn trouble(&self) -> Option<String> {
        self.status.trouble()
    }

    /// Waits until the other nodes are heard, at most so long, and says whether they are.
    pub async fn wait_until_connected(&self, at_most: Duration) -> bool {
        let mut heard = self.status.watch();
        timeout(at_most, heard.wait_for(|heard| *heard)).await.is_ok_and(|heard| heard.is_ok())
    }

    /// Waits until one of the tasks behind this has panicked, and names it: without it this node hears nothing, or is not
    /// heard. For one caller at a time.
    pub async fn panicked(&self) -> &'static str {
        self.tasks.panicked().await
    }

    /// Publishes what still waits, and tells the other nodes that nothing more will come. Returns after 2 s at the latest,
    /// also when Redis does not answer. Nothing is shared after it.
    pub async fn close(&self) {
        self.closing.send_replace(true);
        let tasks = self.tasks.take();
        let ends: Vec<_> = tasks.iter().map(JoinHandle::abort_handle).collect();
        let all = async {
            for task in tasks {
                let _ended = task.await;
            }
        };
        let _in_time_or_not = timeout(FAREWELL, all).await;
        for task in ends {
            task.abort();
        }
        self.status.deaf();
    }
}

impl Drop for RedisFanout {
    fn drop(&mut self) {
        for task in self.tasks.take() {
            task.abort();
        }
    }
}
