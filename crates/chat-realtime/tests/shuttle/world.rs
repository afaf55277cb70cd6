//! A log, a clock and subscribers whose every step the scheduler may place anywhere.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex as Unscheduled};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use chat_domain::error::Result;
use chat_domain::model::{
    ChatSession, Epoch, EventChange, KnownPeople, LiveEvent, MessageId, Seq, SessionEvent, SessionId, SocketId, UserId,
};
use chat_domain::ports::{
    EventLog, LogLimit, LogPage, Notifier, ReplayFallback, SessionFeed, StartPosition, StreamCloseReason, StreamItem,
    SubscribeRequest, Subscription,
};
use chat_testkit::{FixedClock, fixtures};

use crate::feed::HubFeed;
use crate::hub::Hub;
use crate::settings::HubSettings;
use crate::sync::{Mutex, lock};
use crate::timer::{Sleep, Timer};

/// The session that everything is about.
pub(crate) fn session() -> SessionId {
    fixtures::session_id(1)
}

/// So small that every queue overflows, every reading takes several pages, and hardly anything may come early.
fn settings() -> HubSettings {
    HubSettings { queue_events: 2, page_events: 2, early_events: 1, shards: 1, ..HubSettings::default() }
}

/// How a subscriber subscribes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// As the feed does it: it registers, then reads the head.
    AsBuilt,
    /// It reads the head, then registers: what is committed and published in between is lost.
    HeadFirst,
    /// It registers and takes the position it starts from for the head.
    NoHead,
}

/// A session's changes in memory.
#[derive(Default)]
pub(crate) struct Log {
    events: Mutex<Vec<SessionEvent>>,
}

impl Log {
    /// Adds an event without publishing it.
    pub(crate) fn commit(&self) -> SessionEvent {
        let mut events = lock(&self.events);
        let seq = Seq::new(events.len() as u64 + 1);
        // What changes does not matter to the hub, and an opening is cheap to make.
        let change = EventChange::Opened(ChatSession::open(fixtures::new_session(1)));
        let (at, actor) = (fixtures::start(), user("alice"));
        let event =
            SessionEvent { session_id: session(), seq, at, actor, key: None, change, people: KnownPeople::default() };
        events.push(event.clone());
        event
    }
}

#[async_trait]
impl EventLog for Log {
    async fn head(&self, _: SessionId) -> Result<Option<Seq>> {
        Ok(Some(Seq::new(lock(&self.events).len() as u64)))
    }

    async fn heads(&self, sessions: Vec<SessionId>) -> Result<Vec<(SessionId, Seq)>> {
        let head = Seq::new(lock(&self.events).len() as u64);
        Ok(sessions.into_iter().map(|id| (id, head)).collect())
    }

    async fn read(&self, _: SessionId, after: Seq, limit: LogLimit) -> Result<LogPage> {
        // A second thread may come to the same reading while it is under way.
        shuttle::future::yield_now().await;
        let events = lock(&self.events);
        let events = events.iter().filter(|event| event.seq > after).take(limit.events as usize).cloned().collect();
        Ok(LogPage::within(limit, events))
    }

    async fn position_of(&self, _: SessionId, _: MessageId) -> Result<Option<Seq>> {
        Ok(None)
    }

    async fn epoch(&self) -> Result<Epoch> {
        Ok(epoch())
    }
}

/// Time that stands still until a test lets it jump to the next deadline.
#[derive(Default)]
pub(crate) struct ManualTimer {
    inner: Arc<Unscheduled<Times>>,
}

#[derive(Default)]
struct Times {
    now: Duration,
    next_id: u64,
    sleepers: BTreeMap<(Duration, u64), Option<Waker>>,
}

struct Sleeper {
    key: (Duration, u64),
    times: Arc<Unscheduled<Times>>,
}

impl ManualTimer {
    /// Lets the next sleeper wake.
    pub(crate) fn jump(&self) {
        let waker = {
            let mut times = self.inner.lock().unwrap();
            let Some(((deadline, _), waker)) = times.sleepers.pop_first() else { return };
            times.now = times.now.max(deadline);
            waker
        };
        waker.into_iter().for_each(Waker::wake);
    }
}

impl Timer for ManualTimer {
    fn now(&self) -> Duration {
        self.inner.lock().unwrap().now
    }

    fn sleep(&self, time: Duration) -> Sleep {
        let mut times = self.inner.lock().unwrap();
        let key = (times.now + time, times.next_id);
        times.next_id += 1;
        times.sleepers.insert(key, None);
        Box::pin(Sleeper { key, times: Arc::clone(&self.inner) })
    }
}

impl Future for Sleeper {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        match self.times.lock().unwrap().sleepers.get_mut(&self.key) {
            Some(waker) => {
                *waker = Some(context.waker().clone());
                Poll::Pending
            }
            None => Poll::Ready(()),
        }
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.times.lock().unwrap().sleepers.remove(&self.key);
    }
}

/// A hub and a feed on a log, and a time that the test has to let pass.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) hub: Arc<Hub>,
    pub(crate) log: Arc<Log>,
    pub(crate) timer: Arc<ManualTimer>,
    feed: Arc<HubFeed>,
}

impl World {
    /// A world where the session has had that many changes before anyone watched.
    pub(crate) fn with_past(changes: u64) -> Self {
        let (log, timer) = (Arc::new(Log::default()), Arc::new(ManualTimer::default()));
        let hub = Hub::new(settings(), Arc::new(FixedClock::new()));
        let feed = HubFeed::with_timer(Arc::clone(&hub), Arc::clone(&log) as _, epoch(), Arc::clone(&timer) as _);
        let world = Self { hub, log, timer, feed };
        for _ in 0..changes {
            world.log.commit();
        }
        world
    }

    /// A change as it should be: committed, then published.
    pub(crate) fn happen(&self) {
        let event = self.log.commit();
        self.hub.publish(LiveEvent::Durable(event));
    }

    /// Connects as `socket`.
    pub(crate) async fn subscribe(&self, socket: u64, start: StartPosition, order: Order) -> TestSubscriber {
        let after = match &start {
            StartPosition::Now => None,
            StartPosition::After { seq, .. } => Some(*seq),
        };
        let request = SubscribeRequest {
            session: session(),
            socket: socket_id(socket),
            viewer: user(&format!("person-{socket}")),
            start,
            fallback: ReplayFallback::Refuse,
            part_of: None,
        };
        let subscription = match order {
            Order::AsBuilt => self.feed.subscribe(request).await,
            Order::HeadFirst => {
                let head = self.feed.head(&request).await.unwrap();
                self.feed.open(self.feed.register(&request), &request, head)
            }
            Order::NoHead => {
                let head = after.unwrap_or(Seq::ZERO);
                self.feed.open(self.feed.register(&request), &request, head)
            }
        };
        let subscription = subscription.unwrap();
        let at = after.unwrap_or(subscription.outcome.head).get();
        TestSubscriber { subscription, at }
    }
}

/// A subscriber that fails when an event is missing, doubled or out of order.
pub(crate) struct TestSubscriber {
    subscription: Subscription,
    at: u64,
}

impl TestSubscriber {
    /// The next event's position, or how the stream ended.
    pub(crate) async fn recv(&mut self) -> Result<u64, StreamCloseReason> {
        let stream = &mut self.subscription.stream;
        match poll_fn(|context| stream.poll_next(context)).await.unwrap() {
            StreamItem::Closed(end) => Err(end),
            StreamItem::Event(published) => {
                let LiveEvent::Durable(event) = published.event() else { panic!("no typing here") };
                assert_eq!(event.seq.get(), self.at + 1, "once, in order, without gap");
                self.at += 1;
                Ok(self.at)
            }
        }
    }

    /// Listens until the event at this position has come.
    pub(crate) async fn recv_up_to(&mut self, last: u64) {
        while self.at < last {
            assert!(self.recv().await.is_ok(), "the stream ended at {}", self.at);
        }
        assert_eq!(self.at, last, "nothing that did not happen");
    }
}

/// Right after this position.
pub(crate) fn after(seq: u64) -> StartPosition {
    StartPosition::After { seq: Seq::new(seq), epoch: None }
}

/// Socket `n`.
pub(crate) fn socket_id(n: u64) -> SocketId {
    SocketId::new(fixtures::uuid(fixtures::FixtureKind::Generated, n))
}

fn epoch() -> Epoch {
    Epoch::parse("first").unwrap()
}

fn user(id: &str) -> UserId {
    UserId::parse(id).unwrap()
}
