//! The hub: every session's watchers, spread over locks so that sessions do not wait for each other.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, OnceLock};

use chat_domain::model::{ConnectionId, LiveEvent, Seq, SessionId, UserId};
use chat_domain::ports::{Clock, EventSink, Missed, Notifier};

use metrics::counter;

use crate::mailbox::Mailbox;
use crate::reports::ReportBox;
use crate::settings::HubSettings;
use crate::shard::{Afterwards, Shard, Wakers};
use crate::sync::{AtomicBool, Mutex, Ordering, lock};
use crate::typing::Origin;

/// Spreads events to the watchers of this process.
///
/// Publishing takes one lock of many for as long as it takes to put a pointer into the queue of each watcher of the
/// session; it waits for no watcher and never fails.
pub struct Hub {
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
    settings: HubSettings,
    clock: Arc<dyn Clock>,
    /// What this hub says of typing goes there too.
    others: OnceLock<Arc<dyn Notifier>>,
    reports: ReportBox,
    shut_down: AtomicBool,
}

impl Hub {
    /// A hub without watchers. The clock says when typing falls silent.
    pub fn new(settings: HubSettings, clock: Arc<dyn Clock>) -> Arc<Self> {
        announce_metrics();
        let shards = (0..settings.shards.max(1)).map(|_| Mutex::new(Shard::new(&settings))).collect();
        Arc::new(Self {
            shards,
            hasher: RandomState::new(),
            settings,
            clock,
            others: OnceLock::new(),
            reports: ReportBox::default(),
            shut_down: AtomicBool::new(false),
        })
    }

    /// Names the way to the other nodes, once: the first call counts. Of what is published to the hub only typing goes
    /// there, as often as the watchers here are told of it; and what the hub says by itself: that a typist's last stream
    /// on this node has gone, or that they type all the same when another node says so (`TypingEvent::by_node`). `others`
    /// must not publish to this hub.
    pub fn forward_to(&self, others: Arc<dyn Notifier>) {
        self.others.get_or_init(|| others);
    }

    /// Stops serving: from now on every stream says `End::Stopping`, also those that begin later.
    pub fn shutdown(&self) {
        self.shut_down.store(true, Ordering::SeqCst);
        let now = self.clock.now();
        for shard in &self.shards {
            let afterwards = lock(shard).close(now);
            self.finish(afterwards);
        }
        self.reports.close();
    }

    /// Whether the hub has stopped serving.
    pub fn is_shut_down(&self) -> bool {
        self.shut_down.load(Ordering::SeqCst)
    }

    /// How many streams are open.
    pub fn subscriptions(&self) -> usize {
        self.sum(Shard::subscriptions)
    }

    /// How many sessions someone watches.
    pub fn sessions(&self) -> usize {
        self.sum(Shard::sessions)
    }

    /// How many people are shown as typing.
    pub fn typists(&self) -> usize {
        self.sum(Shard::typists)
    }

    /// Ends the typing of those who fell silent, and says of typing what has waited long enough. If `run_typing_expiry`
    /// is not used, this is to be called a few times a second.
    pub fn tick(&self) {
        let now = self.clock.now();
        for shard in &self.shards {
            let afterwards = lock(shard).tick(now);
            self.finish(afterwards);
        }
    }

    /// Does what a shard has left to do. To be called without its lock.
    fn finish(&self, afterwards: Afterwards) {
        wake(afterwards.wakers);
        if let Some(others) = self.others.get() {
            afterwards.for_others.into_iter().for_each(|word| others.publish(LiveEvent::Typing(word)));
        }
    }

    fn take(&self, event: LiveEvent, origin: Origin) {
        let now = self.clock.now();
        let mut shard = lock(self.shard(event.session_id()));
        let afterwards = match event {
            LiveEvent::Durable(event) => shard.publish(event, now),
            LiveEvent::Typing(word) => shard.hear(&word, origin, self.others.get().is_some(), now),
        };
        drop(shard);
        self.finish(afterwards);
    }

    pub(crate) fn settings(&self) -> &HubSettings {
        &self.settings
    }

    pub(crate) fn reports(&self) -> &ReportBox {
        &self.reports
    }

    /// Enters a watcher. From now on the events of the session are kept for them.
    pub(crate) fn register(
        self: &Arc<Self>,
        session: SessionId,
        viewer: UserId,
        connection: ConnectionId,
    ) -> Subscription {
        let mailbox = Arc::new(Mailbox::new(self.settings.queue_limits()));
        let id = lock(self.shard(session)).join(session, viewer, connection, Arc::clone(&mailbox));
        Subscription { hub: Arc::clone(self), session, id, mailbox }
    }

    /// Notes that a registered watcher of the session begins at `head`.
    pub(crate) fn begins_at(&self, session: SessionId, head: Seq) {
        let suspicious = lock(self.shard(session)).begins_at(session, head);
        if suspicious {
            self.reports.add(|reports| reports.suspect(session, head));
        }
    }

    /// The sessions that someone watches here and that may have missed something.
    pub(crate) fn watched(&self, concerned: &[Missed]) -> Vec<SessionId> {
        let mut sessions = Vec::new();
        for shard in &self.shards {
            let shard = lock(shard);
            sessions.extend(shard.watched().filter(|session| concerned.iter().any(|missed| missed.concerns(*session))));
        }
        sessions
    }

    /// Whether the session's watchers have not been told of everything up to `head`.
    pub(crate) fn is_behind(&self, session: SessionId, head: Seq) -> bool {
        lock(self.shard(session)).is_behind(session, head)
    }

    /// Sends the session's watchers to the log, unless they know of everything up to `head`. Answers whether it did.
    pub(crate) fn tell(&self, session: SessionId, head: Seq) -> bool {
        let told = lock(self.shard(session)).tell(session, head);
        told.map(wake).is_some()
    }

    fn sum(&self, count: impl Fn(&Shard) -> usize) -> usize {
        self.shards.iter().map(|shard| count(&lock(shard))).sum()
    }

    #[expect(clippy::indexing_slicing, reason = "the remainder of a division by the length, which is at least 1")]
    fn shard(&self, session: SessionId) -> &Mutex<Shard> {
        let hash = self.hasher.hash_one(session);
        let shards = self.shards.len() as u64;
        &self.shards[usize::try_from(hash % shards).unwrap_or(0)]
    }
}

impl Notifier for Hub {
    fn publish(&self, event: LiveEvent) {
        self.take(event, Origin::Here);
    }
}

impl EventSink for Hub {
    fn deliver(&self, event: LiveEvent) {
        self.take(event, Origin::Elsewhere);
    }

    fn missed(&self, missed: Missed) {
        self.reports.add(|reports| reports.missed(missed));
    }

    fn heard(&self, whether: bool) {
        self.reports.add(|reports| reports.heard = Some(whether));
    }

    fn replaced(&self, session: SessionId, connection: ConnectionId) {
        let now = self.clock.now();
        let waker = lock(self.shard(session)).replace(session, connection, now);
        wake(waker.into_iter().collect());
    }
}

/// A watcher's place in the hub; dropping it gives the place back.
pub(crate) struct Subscription {
    hub: Arc<Hub>,
    session: SessionId,
    id: u64,
    mailbox: Arc<Mailbox>,
}

impl Subscription {
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

/// Everything that is counted in this crate is known from the start, before it happens for the first time.
fn announce_metrics() {
    for name in [
        "chat_watcher_overflows_total",
        "chat_catch_up_events_total",
        "chat_repair_sessions_compared_total",
        "chat_repair_sessions_repaired_total",
        "chat_repair_failures_total",
    ] {
        counter!(name).increment(0);
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let now = self.hub.clock.now();
        let afterwards = lock(self.hub.shard(self.session)).leave(self.session, self.id, now);
        self.hub.finish(afterwards);
    }
}

fn wake(wakers: Wakers) {
    for waker in wakers {
        waker.wake();
    }
}
