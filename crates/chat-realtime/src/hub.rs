//! The hub: every session's watchers, spread over locks so that sessions do not wait for each other.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chat_domain::model::{LiveEvent, SessionId, UserId};
use chat_domain::ports::{Clock, Notifier};

use crate::HubSettings;
use crate::mailbox::Mailbox;
use crate::shard::{Shard, Wakers};
use crate::sync::lock;

/// How often typing is looked at; typing ends that much later than the rules say, at most.
const TICK: Duration = Duration::from_millis(250);

/// Spreads events to the watchers of this process.
///
/// Publishing takes one lock of many for as long as it takes to put a pointer into the queue of each watcher of the
/// session; it waits for no watcher and never fails.
pub struct Hub {
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
    settings: HubSettings,
    clock: Arc<dyn Clock>,
    shut_down: AtomicBool,
}

impl Hub {
    /// A hub without watchers. The clock says when typing falls silent.
    pub fn new(settings: HubSettings, clock: Arc<dyn Clock>) -> Arc<Self> {
        let shards = (0..settings.shards.max(1)).map(|_| Mutex::new(Shard::new(&settings))).collect();
        Arc::new(Self { shards, hasher: RandomState::new(), settings, clock, shut_down: AtomicBool::new(false) })
    }

    /// Stops serving: from now on every stream gives `Ok(None)`, also those that begin later.
    pub fn shutdown(&self) {
        self.shut_down.store(true, Ordering::SeqCst);
        for shard in &self.shards {
            let wakers = lock(shard).close();
            wake(wakers);
        }
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

    /// Ends the typing of those who fell silent. Whoever does not use [`run_typing_expiry`] calls this a few times a
    /// second.
    pub fn tick(&self) {
        let now = self.clock.now();
        for shard in &self.shards {
            let wakers = lock(shard).tick(now);
            wake(wakers);
        }
    }

    pub(crate) fn settings(&self) -> &HubSettings {
        &self.settings
    }

    /// Enters a watcher. From now on the events of the session are kept for them.
    pub(crate) fn register(self: &Arc<Self>, session: SessionId, viewer: UserId) -> Subscription {
        let mailbox = Arc::new(Mailbox::new(self.settings.queue_events));
        let id = lock(self.shard(session)).join(session, viewer, Arc::clone(&mailbox));
        Subscription { hub: Arc::clone(self), session, id, mailbox }
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
        let now = self.clock.now();
        let wakers = lock(self.shard(event.session_id())).publish(event, now);
        wake(wakers);
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
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let now = self.hub.clock.now();
        let wakers = lock(self.hub.shard(self.session)).leave(self.session, self.id, now);
        wake(wakers);
    }
}

/// Ends typing that has fallen silent, until the hub is shut down. The server runs it once, on its main runtime.
pub async fn run_typing_expiry(hub: Arc<Hub>) {
    while !hub.is_shut_down() {
        tokio::time::sleep(TICK).await;
        hub.tick();
    }
}

fn wake(wakers: Wakers) {
    for waker in wakers {
        waker.wake();
    }
}
