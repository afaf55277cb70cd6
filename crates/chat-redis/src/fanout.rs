//! The fan-out of a node: how it starts and ends.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use chat_domain::model::FanoutCredentials;
use chat_domain::ports::{Clock, Notifier};
use chat_realtime::{PeerNotifier, PeerSink, SuspectedGap};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::clock_skew::ClockSkew;
use crate::config::RedisConfig;
use crate::dial::Dialer;
use crate::envelope::own_prefix;
use crate::error::RedisConfigError;
use crate::failure_detector::FailureDetector;
use crate::inbox::Inbox;
use crate::metering::RedisMetrics;
use crate::names::{ChannelNames, SHARDS};
use crate::outbox::{Outbox, RedisNotifier};
use crate::overflowed_shards::ShardChecks;
use crate::pubsub_connection::PubSubConnection;
use crate::reader::ChannelReader;
use crate::replay_guard::ReplayGuard;
use crate::signature::Signer;
use crate::status::PeerStatus;

/// How long publishing the last events may take at shutdown.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// A task of the fan-out, with its name.
pub type FanoutTask = (&'static str, Pin<Box<dyn Future<Output = ()> + Send>>);

/// Connects this node to the others through Redis.
///
/// Redis may be unreachable at any time, also at the start: `PeerSink::set_peers_reachable` is called, and this keeps
/// reconnecting. Nothing here fails because of it, so a node that cannot reach Redis stays ready.
pub struct RedisFanout {
    names: ChannelNames,
    sink: Arc<dyn PeerSink>,
    signer: watch::Sender<Arc<Signer>>,
    outbox: Outbox,
    status: Arc<PeerStatus>,
    /// Ends the connection, after the last events.
    closing: watch::Sender<bool>,
}

impl RedisFanout {
    /// The fan-out and its tasks, which connect, publish and receive for as long as they run. The sink is set to unreachable
    /// peers until they are reachable. Messages of nodes with other credentials are rejected.
    ///
    /// The caller MUST run the tasks, on a runtime that outlives single requests, and MUST notice when one ends before
    /// [`close`](Self::close): without it this node receives or publishes nothing.
    ///
    /// # Errors
    /// The configuration cannot be used. Never because Redis is unreachable.
    pub fn new(
        config: RedisConfig,
        credentials: FanoutCredentials,
        clock: Arc<dyn Clock>,
        sink: Arc<dyn PeerSink>,
    ) -> Result<(Self, Vec<FanoutTask>), RedisConfigError> {
        let dialer = Dialer::new(&config.url, config.authorities)?;
        let RedisConfig { node, prefix, queue, .. } = config;
        let names = ChannelNames::new(prefix.as_str());
        let (signer, current) = watch::channel(Arc::new(Signer::new(names.clone(), credentials)));
        let metering = RedisMetrics::new();
        let status = Arc::new(PeerStatus::new(metering.clone()));
        let (closing, closing_watch) = watch::channel(false);
        let (outbox, outgoing, dropped) = Outbox::new(queue, metering.clone());
        let (inbox, incoming, overflowed) = Inbox::new(queue, names.clone(), own_prefix(node), metering.clone());
        let (control, controlled) = mpsc::unbounded_channel();
        let (disconnected, disconnected_watch) = watch::channel(0);

        // Nodes begin at different servers, so that each of those has its share.
        let (_, first) = node.as_u64_pair();
        sink.set_peers_reachable(false);
        let reader = ChannelReader {
            node,
            detector: FailureDetector::new(node),
            replay_guard: ReplayGuard::default(),
            clock_skew: ClockSkew::default(),
            signer: current.clone(),
            clock: Arc::clone(&clock),
            sink: Arc::clone(&sink),
            inbox: incoming,
            shard_checks: ShardChecks::new(overflowed),
            control: controlled,
            disconnected,
            status: Arc::clone(&status),
            metering: metering.clone(),
            generation: 0,
        };
        let connection = PubSubConnection {
            node,
            first,
            dialer,
            names: names.clone(),
            outbox: outgoing,
            dropped,
            counters: [0; SHARDS as usize],
            node_messages: 0,
            signer: current,
            clock,
            inbox,
            control,
            disconnected: disconnected_watch,
            closing: closing_watch,
            status: Arc::clone(&status),
            metering,
        };
        let tasks: Vec<FanoutTask> =
            vec![("redis reader", Box::pin(reader.run())), ("redis connection", Box::pin(connection.run()))];
        Ok((Self { names, sink, signer, outbox, status, closing }, tasks))
    }

    /// A notifier that publishes events on this node through `local`, and then to the other nodes. It never waits:
    /// events that find no room in the queue to Redis become a suspected gap of the other nodes.
    pub fn notifier(&self, local: Arc<dyn Notifier>) -> Arc<dyn Notifier> {
        Arc::new(RedisNotifier::new(local, self.outbox.clone()))
    }

    /// A notifier for the typing events of a hub, which go to the other nodes alone.
    pub fn peer_notifier(&self) -> Arc<dyn PeerNotifier> {
        Arc::new(self.outbox.clone())
    }

    /// Uses these credentials from now on if they are others, and returns whether they are: the database may have moved
    /// to another server. All sessions are suspected then. A node has one epoch for as long as it runs.
    pub fn set_credentials(&self, credentials: FanoutCredentials) -> bool {
        let is_newer = {
            let signer = self.signer.borrow();
            signer.credentials != credentials && signer.credentials.epoch == credentials.epoch
        };
        if is_newer {
            self.signer.send_replace(Arc::new(Signer::new(self.names.clone(), credentials)));
            self.sink.mark_suspect(SuspectedGap::AllSessions);
        }
        is_newer
    }

    /// Whether the other nodes are reachable at the moment. If not, a node stays in service: it reads their events from
    /// the database.
    pub fn is_connected(&self) -> bool {
        self.status.is_reachable()
    }

    /// Why Redis cannot be used, for an operator, from the first attempt that failed until the other nodes are
    /// reachable. Names servers, and no passwords.
    pub fn outage_reason(&self) -> Option<String> {
        self.status.outage_reason()
    }

    /// Waits until the other nodes are reachable, at most this long, and returns whether they are.
    pub async fn wait_until_connected(&self, at_most: Duration) -> bool {
        let mut reachable = self.status.watch();
        timeout(at_most, reachable.wait_for(|reachable| *reachable)).await.is_ok_and(|outcome| outcome.is_ok())
    }

    /// Publishes the events that still wait, and a goodbye. Returns after 2 s at the latest, also when Redis does not
    /// respond. Nothing is published after it; the tasks can be aborted then.
    pub async fn close(&self) {
        self.closing.send_replace(true);
        // The connection holds the only receiver until it has ended.
        let _in_time_or_not = timeout(CLOSE_TIMEOUT, self.closing.closed()).await;
        self.status.set_unreachable();
    }
}
