//! The hub: the subscriptions of all sessions, spread over locks so that sessions do not wait for each other.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, OnceLock};

use chat_domain::model::{LiveEvent, Seq, SessionId, SocketId, UserId};
use chat_domain::ports::{Clock, Notifier, SocketCloser};
use metrics::counter;

use crate::inboxes::Inboxes;
use crate::mailbox::Mailbox;
use crate::peers::{PeerEvent, PeerNotifier, PeerSink, SuspectedGap};
use crate::reports::GapReportQueue;
use crate::settings::HubSettings;
use crate::shard::{HubShard, ShardEffects, Wakers};
use crate::socket_budget::SocketBudget;
use crate::sync::{AtomicBool, Mutex, Ordering, lock};
use crate::typing::TypingOrigin;

/// Delivers events to the subscriptions of this node.
///
/// Publishing takes one lock of many for as long as it takes to push a pointer into the queue of each subscription of
/// the session; it waits for no subscription and never fails.
pub struct Hub {
    shards: Box<[Mutex<HubShard>]>,
    hasher: RandomState,
    settings: HubSettings,
    clock: Arc<dyn Clock>,
    /// Where typing events are published to the other nodes.
    peers: OnceLock<Arc<dyn PeerNotifier>>,
    reports: GapReportQueue,
    inboxes: Arc<Inboxes>,
    shut_down: AtomicBool,
}

impl Hub {
    /// A hub without subscriptions. The clock is that of typing.
    pub fn new(settings: HubSettings, clock: Arc<dyn Clock>) -> Arc<Self> {
        announce_metrics();
        let shards = (0..settings.shards.max(1)).map(|_| Mutex::new(HubShard::new(&settings))).collect();
        Arc::new(Self {
            shards,
            hasher: RandomState::new(),
            settings,
            clock,
            peers: OnceLock::new(),
            reports: GapReportQueue::default(),
            inboxes: Inboxes::new(),
            shut_down: AtomicBool::new(false),
        })
    }

    /// Sets the notifier of the other nodes, once: later calls have no effect. The hub publishes only typing there: as
    /// often as it delivers typing here; a stop when a typist's last subscription on this node ends; and a start that
    /// contradicts another node's stop (`PeerTyping::by_node`). `peers` must not publish to this hub.
    pub fn set_peer_notifier(&self, peers: Arc<dyn PeerNotifier>) {
        self.peers.get_or_init(|| peers);
    }

    /// Shuts down: closes every stream with `StreamCloseReason::NodeStopping`, also those that are opened later.
    pub fn shutdown(&self) {
        self.shut_down.store(true, Ordering::SeqCst);
        let now = self.clock.now();
        for shard in &self.shards {
            let effects = lock(shard).close(now);
            self.apply(effects);
        }
        self.reports.close();
        self.inboxes.shutdown();
    }

    /// Whether the hub is shut down.
    pub fn is_shut_down(&self) -> bool {
        self.shut_down.load(Ordering::SeqCst)
    }

    /// How many streams are open.
    pub fn subscriptions(&self) -> usize {
        self.sum(HubShard::subscriptions)
    }

    /// How many sessions have subscriptions.
    pub fn sessions(&self) -> usize {
        self.sum(HubShard::sessions)
    }

    /// How many people are shown as typing.
    pub fn typists(&self) -> usize {
        self.sum(HubShard::typists)
    }

    /// Ends typing that has timed out, and delivers typing that has waited long enough. If `run_typing_expiry` is not
    /// used, this is to be called a few times a second.
    pub fn tick(&self) {
        let now = self.clock.now();
        for shard in &self.shards {
            let effects = lock(shard).tick(now);
            self.apply(effects);
        }
    }

    /// Wakes streams and publishes typing to the other nodes. To be called without the lock of the shard.
    fn apply(&self, effects: ShardEffects) {
        wake(effects.wakers);
        if let Some(peers) = self.peers.get() {
            effects.for_peers.into_iter().for_each(|event| peers.publish(event));
        }
    }

    /// The open inboxes, which hear of every durable event.
    pub fn inboxes(&self) -> &Arc<Inboxes> {
        &self.inboxes
    }

    fn accept(&self, event: PeerEvent, origin: TypingOrigin) {
        let now = self.clock.now();
        if let PeerEvent::Durable(event) = &event {
            self.inboxes.note(event);
        }
        let mut shard = lock(self.shard(event.session_id()));
        let effects = match event {
            PeerEvent::Durable(event) => shard.publish(event, now),
            PeerEvent::Typing(event) => shard.typing(&event, origin, self.peers.get().is_some(), now),
        };
        drop(shard);
        self.apply(effects);
    }

    pub(crate) fn settings(&self) -> &HubSettings {
        &self.settings
    }

    pub(crate) fn reports(&self) -> &GapReportQueue {
        &self.reports
    }

    /// Registers a subscription. From now on the events of the session are kept for it.
    pub(crate) fn register(
        self: &Arc<Self>,
        session: SessionId,
        viewer: UserId,
        socket: SocketId,
        budget: Option<Arc<SocketBudget>>,
    ) -> Registration {
        let mailbox = Arc::new(Mailbox::new(self.settings.queue_limits(), budget));
        let id = lock(self.shard(session)).subscribe(session, viewer, socket, Arc::clone(&mailbox));
        Registration { hub: Arc::clone(self), session, id, mailbox }
    }

    /// Records that a registered subscription of the session starts at `head`.
    pub(crate) fn set_start(&self, session: SessionId, head: Seq) {
        let is_suspect = lock(self.shard(session)).set_start(session, head);
        if is_suspect {
            self.reports.add(|reports| reports.suspect(session, head));
        }
    }

    /// The sessions in these gaps that have subscriptions here.
    pub(crate) fn subscribed_sessions(&self, gaps: &[SuspectedGap]) -> Vec<SessionId> {
        let mut sessions = Vec::new();
        for shard in &self.shards {
            let shard = lock(shard);
            sessions
                .extend(shard.subscribed_sessions().filter(|session| gaps.iter().any(|gap| gap.includes(*session))));
        }
        sessions
    }

    /// Whether the session's subscriptions do not know of everything up to `head`.
    pub(crate) fn has_gap(&self, session: SessionId, head: Seq) -> bool {
        lock(self.shard(session)).has_gap(session, head)
    }

    /// Sends the session's subscriptions to the log, unless they know of everything up to `head`. Returns whether it
    /// did.
    pub(crate) fn mark_gap(&self, session: SessionId, head: Seq) -> bool {
        let wakers = lock(self.shard(session)).mark_gap(session, head);
        wakers.map(wake).is_some()
    }

    fn sum(&self, count: impl Fn(&HubShard) -> usize) -> usize {
        self.shards.iter().map(|shard| count(&lock(shard))).sum()
    }

    #[expect(clippy::indexing_slicing, reason = "the remainder of a division by the length, which is at least 1")]
    fn shard(&self, session: SessionId) -> &Mutex<HubShard> {
        let hash = self.hasher.hash_one(session);
        let shards = self.shards.len() as u64;
        &self.shards[usize::try_from(hash % shards).unwrap_or(0)]
    }
}

impl Notifier for Hub {
    fn publish(&self, event: LiveEvent) {
        self.accept(event.into(), TypingOrigin::ThisNode);
    }
}

impl PeerSink for Hub {
    fn deliver(&self, event: PeerEvent) {
        self.accept(event, TypingOrigin::OtherNode);
    }

    fn mark_suspect(&self, gap: SuspectedGap) {
        self.reports.add(|reports| reports.add_gap(gap));
        self.inboxes.mark_suspect();
    }

    fn set_peers_reachable(&self, reachable: bool) {
        self.reports.add(|reports| reports.peers_reachable = Some(reachable));
        self.inboxes.set_peers_reachable(reachable);
    }
}

impl SocketCloser for Hub {
    fn close_replaced(&self, session: SessionId, socket: SocketId) {
        let now = self.clock.now();
        let waker = lock(self.shard(session)).close_replaced(session, socket, now);
        wake(waker.into_iter().collect());
    }
}

/// A subscription's place in the hub, freed when it is dropped.
pub(crate) struct Registration {
    hub: Arc<Hub>,
    session: SessionId,
    id: u64,
    mailbox: Arc<Mailbox>,
}

impl Registration {
    pub(crate) fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    pub(crate) fn session(&self) -> SessionId {
        self.session
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.hub
    }
}

/// Registers all counters of this crate, so that they are exported before they are first incremented.
fn announce_metrics() {
    for name in [
        "chat_subscription_overflows_total",
        "chat_catch_up_events_total",
        "chat_repair_sessions_compared_total",
        "chat_repair_sessions_repaired_total",
        "chat_repair_failures_total",
    ] {
        counter!(name).increment(0);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let now = self.hub.clock.now();
        let effects = lock(self.hub.shard(self.session)).unsubscribe(self.session, self.id, now);
        self.hub.apply(effects);
    }
}

fn wake(wakers: Wakers) {
    for waker in wakers {
        waker.wake();
    }
}
