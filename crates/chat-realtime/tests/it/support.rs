//! A log that tests can break, and a hub and a feed on top of it.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chat_domain::error::{ChatError, Result};
use chat_domain::model::{
    ChatMessage, ChatSession, Delivery, Epoch, EventChange, KnownPeople, LiveEvent, MessageId, Party, Seq,
    SessionEvent, SessionId, SocketId, Timestamp, TypingEvent, UserId,
};
use chat_domain::ports::{
    Clock, EventLog, EventStream, LogLimit, LogPage, Notifier, ReplayFallback, SessionFeed, SharedEvent, StartPosition,
    StreamCloseReason, StreamItem, SubscribeOutcome, SubscribeRequest, Subscription,
};
use chat_realtime::{Hub, HubFeed, HubSettings};
use chat_testkit::fixtures;

/// The session that most tests are about.
pub(crate) fn session() -> SessionId {
    fixtures::session_id(1)
}

/// The epoch of every log here.
pub(crate) fn epoch() -> Epoch {
    Epoch::parse("first").unwrap()
}

/// Right after this position, of whatever epoch.
pub(crate) fn after(seq: u64) -> StartPosition {
    StartPosition::After { seq: Seq::new(seq), epoch: None }
}

/// Socket `n`.
pub(crate) fn socket(n: u64) -> SocketId {
    SocketId::new(fixtures::uuid(fixtures::FixtureKind::Generated, n))
}

/// A person.
pub(crate) fn user(id: &str) -> UserId {
    UserId::parse(id).unwrap()
}

/// The clock of the runtime, which stands still or jumps in tests with paused time.
struct RuntimeClock {
    started: tokio::time::Instant,
}

impl Clock for RuntimeClock {
    fn now(&self) -> Timestamp {
        fixtures::start().plus(self.started.elapsed())
    }
}

type Hook = Box<dyn FnOnce() + Send>;

/// Sessions' events in memory. It can fail, and it can let something happen in the middle of a reading.
#[derive(Default)]
pub(crate) struct FakeLog {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    events: HashMap<SessionId, Vec<SessionEvent>>,
    failing: bool,
    reads: Vec<(Seq, u32)>,
    compared: Vec<usize>,
    slow: Option<Duration>,
    heads_hang: bool,
    after_head: Option<Hook>,
}

impl FakeLog {
    pub(crate) fn commit(&self, session: SessionId, change: impl FnOnce(Seq) -> EventChange) -> SessionEvent {
        let mut inner = self.inner.lock().unwrap();
        let events = inner.events.entry(session).or_default();
        let seq = Seq::new(events.len() as u64 + 1);
        let event = SessionEvent {
            session_id: session,
            seq,
            at: fixtures::start(),
            actor: user("alice"),
            key: None,
            change: change(seq),
            people: KnownPeople::default(),
        };
        events.push(event.clone());
        event
    }

    pub(crate) fn fail(&self, failing: bool) {
        self.inner.lock().unwrap().failing = failing;
    }

    /// Makes each reading take that long.
    pub(crate) fn slow_down(&self, by: Duration) {
        self.inner.lock().unwrap().slow = Some(by);
    }

    /// Makes it never answer who asks for the heads of several sessions.
    pub(crate) fn hang_heads(&self, hanging: bool) {
        self.inner.lock().unwrap().heads_hang = hanging;
    }

    /// Does something right after the next head has been read and before the reader learns of it.
    pub(crate) fn after_head(&self, hook: impl FnOnce() + Send + 'static) {
        self.inner.lock().unwrap().after_head = Some(Box::new(hook));
    }

    /// How many sessions were compared at each of the moments when the heads of several were asked for.
    pub(crate) fn compared(&self) -> Vec<usize> {
        self.inner.lock().unwrap().compared.clone()
    }

    /// The readings so far: after which position, and how many at most.
    pub(crate) fn reads(&self) -> Vec<(Seq, u32)> {
        self.inner.lock().unwrap().reads.clone()
    }
}

#[async_trait]
impl EventLog for FakeLog {
    async fn head(&self, session: SessionId) -> Result<Option<Seq>> {
        let (head, hook) = {
            let mut inner = self.inner.lock().unwrap();
            let head = inner.events.get(&session).map(|events| Seq::new(events.len() as u64));
            (head, inner.after_head.take())
        };
        if let Some(hook) = hook {
            hook();
        }
        // Gives writers on other threads a chance to get in between.
        tokio::task::yield_now().await;
        Ok(head)
    }

    async fn read(&self, session: SessionId, after: Seq, limit: LogLimit) -> Result<LogPage> {
        let slow = {
            let mut inner = self.inner.lock().unwrap();
            inner.reads.push((after, limit.events));
            inner.slow
        };
        if let Some(slow) = slow {
            tokio::time::sleep(slow).await;
        }
        let inner = self.inner.lock().unwrap();
        if inner.failing {
            return Err(ChatError::unavailable("the test says so"));
        }
        let events = inner.events.get(&session).map(Vec::as_slice).unwrap_or_default();
        let events = events.iter().filter(|event| event.seq > after).take(limit.events as usize).cloned().collect();
        Ok(LogPage::within(limit, events))
    }

    async fn heads(&self, sessions: Vec<SessionId>) -> Result<Vec<(SessionId, Seq)>> {
        let hangs = {
            let mut inner = self.inner.lock().unwrap();
            inner.compared.push(sessions.len());
            inner.heads_hang
        };
        if hangs {
            std::future::pending::<()>().await;
        }
        let inner = self.inner.lock().unwrap();
        if inner.failing {
            return Err(ChatError::unavailable("the test says so"));
        }
        let head = |id: SessionId| inner.events.get(&id).map(|events| (id, Seq::new(events.len() as u64)));
        Ok(sessions.into_iter().filter_map(head).collect())
    }

    async fn epoch(&self) -> Result<Epoch> {
        Ok(epoch())
    }

    async fn position_of(&self, _: SessionId, _: MessageId) -> Result<Option<Seq>> {
        Ok(None)
    }
}

/// A hub and a feed on a fake log.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) hub: Arc<Hub>,
    pub(crate) log: Arc<FakeLog>,
    pub(crate) feed: Arc<HubFeed>,
    clock: Arc<dyn Clock>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(HubSettings::default())
    }

    pub(crate) fn with(settings: HubSettings) -> Self {
        let log = Arc::new(FakeLog::default());
        let clock: Arc<dyn Clock> = Arc::new(RuntimeClock { started: tokio::time::Instant::now() });
        let hub = Hub::new(settings, Arc::clone(&clock));
        let feed = HubFeed::new(Arc::clone(&hub), Arc::clone(&log) as _, epoch());
        Self { hub, log, feed, clock }
    }

    /// A world where session 1 has had that many changes before anyone watched.
    pub(crate) fn with_past(changes: u64) -> Self {
        let world = Self::new();
        world.commit_many(changes);
        world
    }

    pub(crate) fn commit_many(&self, changes: u64) {
        for _ in 0..changes {
            self.commit();
        }
    }

    /// A message in session 1 that is not published.
    pub(crate) fn commit(&self) -> SessionEvent {
        self.commit_in(session())
    }

    fn commit_in(&self, session: SessionId) -> SessionEvent {
        self.log.commit(session, |seq| message(session, seq))
    }

    /// A message in session 1, as it should be: committed, then published.
    pub(crate) fn happen(&self) {
        self.happen_in(session());
    }

    pub(crate) fn happen_in(&self, session: SessionId) {
        self.publish(self.commit_in(session));
    }

    pub(crate) fn close_session(&self) {
        let opened = ChatSession::open(fixtures::new_session(1));
        let closed = opened.close(fixtures::start()).unwrap();
        self.publish(self.log.commit(session(), |_| EventChange::Closed(closed)));
    }

    pub(crate) fn publish(&self, event: SessionEvent) {
        self.hub.publish(LiveEvent::Durable(event));
    }

    pub(crate) fn type_as(&self, id: &str, is_typing: bool) {
        let LiveEvent::Typing(event) = typing(id, is_typing) else { unreachable!() };
        self.hub.publish(LiveEvent::Typing(TypingEvent { at: self.clock.now(), ..event }));
    }

    /// Watches session 1.
    pub(crate) async fn subscribe(&self, viewer: &str, start: StartPosition) -> TestSubscriber {
        self.subscribe_in(session(), viewer, start).await.unwrap()
    }

    pub(crate) async fn subscribe_in(
        &self,
        session: SessionId,
        viewer: &str,
        start: StartPosition,
    ) -> Result<TestSubscriber> {
        let request = subscribe_request(session, viewer, start);
        Ok(TestSubscriber::of(self.feed.subscribe(request).await?))
    }
}

/// A request to subscribe to a session; what cannot be replayed is refused.
pub(crate) fn subscribe_request(session: SessionId, viewer: &str, start: StartPosition) -> SubscribeRequest {
    SubscribeRequest {
        session,
        socket: socket(0),
        viewer: user(viewer),
        start,
        fallback: ReplayFallback::Refuse,
        part_of: None,
    }
}

/// A message event at that position.
pub(crate) fn message(session_id: SessionId, seq: Seq) -> EventChange {
    EventChange::Message(ChatMessage {
        id: fixtures::message_id(seq.get()),
        session_id,
        seq,
        author: user("alice"),
        sender: Party::User,
        content: fixtures::content("hello"),
        sent_at: fixtures::start(),
        delivery: Delivery::Sent,
        attachments: Vec::new(),
    })
}

/// A durable event of session 1 at that position.
pub(crate) fn durable(seq: u64) -> SessionEvent {
    let seq = Seq::new(seq);
    let change = message(session(), seq);
    SessionEvent {
        session_id: session(),
        seq,
        at: fixtures::start(),
        actor: user("alice"),
        key: None,
        change,
        people: KnownPeople::default(),
    }
}

/// A typing event in session 1.
pub(crate) fn typing(id: &str, is_typing: bool) -> LiveEvent {
    let (session_id, user_id, at) = (session(), user(id), fixtures::start());
    LiveEvent::Typing(TypingEvent { session_id, user_id, is_typing, at })
}

/// What a subscriber received, short enough to compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Seq(u64),
    Typing(String, bool),
}

impl Received {
    pub(crate) fn of(published: &SharedEvent) -> Self {
        match published.event() {
            LiveEvent::Durable(event) => Self::Seq(event.seq.get()),
            LiveEvent::Typing(event) => Self::Typing(event.user_id.to_string(), event.is_typing),
        }
    }
}

/// A stream and the ways tests listen to it.
pub(crate) struct TestSubscriber {
    pub(crate) outcome: SubscribeOutcome,
    stream: Box<dyn EventStream>,
}

impl TestSubscriber {
    pub(crate) fn of(Subscription { outcome, stream }: Subscription) -> Self {
        Self { outcome, stream }
    }

    /// What the stream says next.
    pub(crate) async fn recv(&mut self) -> Result<StreamItem> {
        poll_fn(|context| self.stream.poll_next(context)).await
    }

    /// The next event; fails when the stream ends or the log does.
    pub(crate) async fn event(&mut self) -> Arc<SharedEvent> {
        match self.recv().await.unwrap() {
            StreamItem::Event(event) => event,
            StreamItem::Closed(end) => panic!("it ended: {end:?}"),
        }
    }

    /// How the stream ends; fails when an event comes instead, or nothing.
    pub(crate) async fn end(&mut self) -> StreamCloseReason {
        let said = tokio::time::timeout(Duration::from_secs(20), self.recv()).await.expect("it ends").unwrap();
        match said {
            StreamItem::Event(event) => panic!("{:?} instead of the end", Received::of(&event)),
            StreamItem::Closed(end) => end,
        }
    }

    /// The next event; fails when none comes. With paused time the waiting takes no time.
    pub(crate) async fn next(&mut self) -> Received {
        let next = tokio::time::timeout(Duration::from_secs(20), self.event());
        Received::of(&next.await.expect("an event comes"))
    }

    /// The next `count` durable positions; fails when anything else comes.
    pub(crate) async fn positions(&mut self, count: u64) -> Vec<u64> {
        let mut positions = Vec::new();
        for _ in 0..count {
            match self.next().await {
                Received::Seq(seq) => positions.push(seq),
                other @ Received::Typing(..) => panic!("{other:?} instead of a durable event"),
            }
        }
        positions
    }

    /// Fails when anything comes within `wait`.
    pub(crate) async fn stays_quiet_for(&mut self, wait: Duration) {
        if let Ok(next) = tokio::time::timeout(wait, self.recv()).await {
            panic!("received {next:?}");
        }
    }
}

/// Lets `TestSubscriber` appear in `unwrap_err`.
impl std::fmt::Debug for TestSubscriber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TestSubscriber")
    }
}
