//! A node with a sink that remembers, and waiting for what it remembers.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_lc_rs::hmac;
use chat_domain::model::{
    ConnectionId, Epoch, FanoutCredentials, FanoutKey, LiveEvent, SessionId, Timestamp, TypingEvent,
};
use chat_domain::ports::{Clock, EventSink, Missed, Notifier};
use chat_redis::{RedisConfig, RedisFanout, RedisUrl};
use chat_testkit::fixtures;
use futures_util::StreamExt;
use redis::aio::MultiplexedConnection;
use test_redis::PrivateRedis;
use tokio::sync::watch;
use tokio::time::timeout;
use uuid::Uuid;

/// How long anything may take that a test waits for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What a sink was told.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a test keeps few of them")]
pub(crate) enum Told {
    Event(LiveEvent),
    Missed(Missed),
    Heard(bool),
    Replaced(SessionId, ConnectionId),
}

/// Remembers everything in order.
pub(crate) struct Recorder(watch::Sender<Vec<Told>>);

impl Recorder {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(watch::Sender::new(Vec::new())))
    }

    fn note(&self, told: Told) {
        self.0.send_modify(|all| all.push(told));
    }

    pub(crate) fn all(&self) -> Vec<Told> {
        self.0.borrow().clone()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.borrow().len()
    }

    pub(crate) fn events(&self) -> Vec<LiveEvent> {
        events(&self.0.borrow())
    }

    /// Waits until what was told, from the start on, is enough.
    #[track_caller]
    pub(crate) fn until(&self, enough: impl Fn(&[Told]) -> bool) -> impl Future<Output = ()> {
        let mut told = self.0.subscribe();
        let place = std::panic::Location::caller();
        async move {
            let enough = timeout(PATIENCE, told.wait_for(|all| enough(all))).await.is_ok();
            assert!(enough, "{place} waited in vain; told was {:?}", told.borrow());
        }
    }

    /// Waits until that is told after the first `from` things.
    #[track_caller]
    pub(crate) fn until_told(&self, from: usize, wanted: Told) -> impl Future<Output = ()> {
        self.until(move |all| all[from..].contains(&wanted))
    }
}

pub(crate) fn events(all: &[Told]) -> Vec<LiveEvent> {
    all.iter().filter_map(|told| if let Told::Event(event) = told { Some(event.clone()) } else { None }).collect()
}

impl EventSink for Recorder {
    fn deliver(&self, event: LiveEvent) {
        self.note(Told::Event(event));
    }
    fn missed(&self, missed: Missed) {
        self.note(Told::Missed(missed));
    }
    fn heard(&self, whether: bool) {
        self.note(Told::Heard(whether));
    }
    fn replaced(&self, session: SessionId, connection: ConnectionId) {
        self.note(Told::Replaced(session, connection));
    }
}

/// A notifier of a node that has no hub: it remembers what was spread on the node.
#[derive(Default)]
pub(crate) struct Local(pub(crate) Mutex<Vec<LiveEvent>>);

impl Notifier for Local {
    fn publish(&self, event: LiveEvent) {
        self.0.lock().unwrap().push(event);
    }
}

/// A node.
pub(crate) struct Node {
    pub(crate) fanout: RedisFanout,
    pub(crate) sink: Arc<Recorder>,
    pub(crate) local: Arc<Local>,
    pub(crate) notifier: Arc<dyn Notifier>,
}

impl Node {
    /// Node `n`, which need not hear anything yet.
    pub(crate) fn begin(redis: &PrivateRedis, n: u128, change: impl FnOnce(&mut RedisConfig)) -> Self {
        Self::begin_at(&redis.url(), n, change)
    }

    /// As `begin`, with any URL.
    pub(crate) fn begin_at(url: &str, n: u128, change: impl FnOnce(&mut RedisConfig)) -> Self {
        Self::begin_as(url, n, credentials(), change)
    }

    /// As `begin_at`, of any database.
    pub(crate) fn begin_as(
        url: &str,
        n: u128,
        credentials: FanoutCredentials,
        change: impl FnOnce(&mut RedisConfig),
    ) -> Self {
        let id = Uuid::from_u128(n);
        let mut config = RedisConfig::new(RedisUrl::parse(url).unwrap(), id);
        change(&mut config);
        let (sink, local) = (Recorder::new(), Arc::new(Local::default()));
        let fanout = RedisFanout::connect(config, credentials, Arc::new(Now), Arc::clone(&sink) as Arc<dyn EventSink>);
        let fanout = fanout.unwrap();
        let notifier = fanout.notifier(Arc::clone(&local) as Arc<dyn Notifier>);
        Self { fanout, sink, local, notifier }
    }

    /// Node `n`, which hears the others.
    pub(crate) async fn start(redis: &PrivateRedis, n: u128) -> Self {
        Self::start_at(&redis.url(), n).await
    }

    /// As `start`, with any URL.
    pub(crate) async fn start_at(url: &str, n: u128) -> Self {
        let node = Self::begin_at(url, n, |_| ());
        assert!(node.fanout.wait_until_connected(PATIENCE).await);
        node
    }

    /// Waits until this node hears others once more, after what it was told so far.
    pub(crate) async fn until_heard_again(&self, from: usize) {
        self.sink.until_told(from, Told::Heard(true)).await;
        let all = self.sink.all();
        let heard = from + all[from..].iter().position(|told| *told == Told::Heard(true)).unwrap();
        assert_eq!(all[heard - 1], Told::Missed(Missed::Everywhere), "{all:?}");
        assert!(self.fanout.wait_until_connected(PATIENCE).await);
    }
}

/// The time, which nodes on this machine agree about.
pub(crate) struct Now;

impl Clock for Now {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        Timestamp::from_unix_ms(i64::try_from(since.as_millis()).unwrap())
    }
}

/// The secret of the database that nodes are of.
const KEY: [u8; 32] = [7; 32];

/// What nodes of one database know each other by.
pub(crate) fn credentials() -> FanoutCredentials {
    let epoch = Epoch::parse("an-epoch").unwrap();
    FanoutCredentials { database: "a-database".to_owned(), epoch, key: FanoutKey::from_bytes(KEY) }
}

/// What stranger `n` of the same database says, as every node signs it: `rest` follows what every message begins with.
pub(crate) fn said(channel: &str, n: u128, counter: u64, rest: &str) -> Vec<u8> {
    let (node, at) = (Uuid::from_u128(n), Now.now().unix_ms());
    let head =
        format!(r#""v":1,"node":"{node}","counter":{counter},"database":"a-database","epoch":"an-epoch","at":{at}"#);
    let mut message = format!("{{{head},{rest}}}").into_bytes();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &KEY);
    let hash = hmac::sign(&key, &[channel.as_bytes(), b"\n", &message].concat());
    message.extend_from_slice(hash.as_ref());
    message
}

/// A channel, and what was published there.
pub(crate) type Published = (String, Vec<u8>);

/// Somebody who reads and writes everything in Redis.
pub(crate) struct Stranger {
    connection: MultiplexedConnection,
    heard: Arc<Mutex<Vec<Published>>>,
}

impl Stranger {
    pub(crate) async fn at(redis: &PrivateRedis) -> Self {
        let client = redis::Client::open(redis.url()).unwrap();
        let connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut listener = client.get_async_pubsub().await.unwrap();
        listener.psubscribe("*").await.unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&heard);
        tokio::spawn(async move {
            let mut messages = listener.into_on_message();
            while let Some(message) = messages.next().await {
                let note = (message.get_channel_name().to_owned(), message.get_payload_bytes().to_vec());
                let mut notes = notes.lock().unwrap();
                if !notes.contains(&note) {
                    notes.push(note);
                }
            }
        });
        Self { connection, heard }
    }

    /// Everything that was published so far, once each.
    pub(crate) fn heard(&self) -> Vec<Published> {
        self.heard.lock().unwrap().clone()
    }

    pub(crate) async fn publish(&self, channel: &str, message: &[u8]) {
        let mut connection = self.connection.clone();
        redis::cmd("PUBLISH").arg(channel).arg(message).exec_async(&mut connection).await.unwrap();
    }
}

/// Event `n` in a session; different ones differ.
pub(crate) fn event(session: u64, n: u64) -> LiveEvent {
    LiveEvent::Typing(TypingEvent {
        session_id: fixtures::session_id(session),
        user_id: fixtures::alice().id,
        is_typing: true,
        at: fixtures::at(n),
        by_node: false,
    })
}

/// The part of the sessions that this one is in.
pub(crate) fn shard(session: u64) -> Missed {
    Missed::Shard { index: fixtures::session_id(session).shard(64), of: 64 }
}

/// Waits until Redis is known to be out of reach, and answers why.
pub(crate) async fn trouble(node: &Node) -> String {
    eventually("there is trouble", || node.fanout.trouble().is_some()).await;
    node.fanout.trouble().unwrap()
}

/// Waits for something outside of this process, by asking again.
pub(crate) async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let so = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(timeout(PATIENCE, so).await.is_ok(), "{what}");
}
