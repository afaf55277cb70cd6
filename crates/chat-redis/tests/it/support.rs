//! A node with a sink that remembers, and waiting for what it remembers.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_lc_rs::hmac;
use chat_domain::model::{Epoch, FanoutCredentials, FanoutKey, LiveEvent, Timestamp, TypingEvent};
use chat_domain::ports::{Clock, Notifier};
use chat_realtime::{PeerEvent, PeerSink, SuspectedGap, session_shard};
use chat_redis::{RedisConfig, RedisFanout, RedisUrl};
use chat_testkit::fixtures;
use futures_util::StreamExt;
use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;
use test_servers::redis::PrivateRedis;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use uuid::Uuid;

/// How long anything may take that a test waits for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A call of a sink.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a test keeps few of them")]
pub(crate) enum SinkCall {
    Deliver(LiveEvent),
    MarkSuspect(SuspectedGap),
    PeersReachable(bool),
}

/// A sink that records all calls in order.
pub(crate) struct Recorder(watch::Sender<Vec<SinkCall>>);

impl Recorder {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(watch::Sender::new(Vec::new())))
    }

    fn note(&self, call: SinkCall) {
        self.0.send_modify(|all| all.push(call));
    }

    pub(crate) fn all(&self) -> Vec<SinkCall> {
        self.0.borrow().clone()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.borrow().len()
    }

    pub(crate) fn events(&self) -> Vec<LiveEvent> {
        events(&self.0.borrow())
    }

    /// Waits until the calls from the start on are enough.
    #[track_caller]
    pub(crate) fn until(&self, enough: impl Fn(&[SinkCall]) -> bool) -> impl Future<Output = ()> {
        let mut calls = self.0.subscribe();
        let place = std::panic::Location::caller();
        async move {
            let enough = timeout(PATIENCE, calls.wait_for(|all| enough(all))).await.is_ok();
            assert!(enough, "{place} waited in vain; the calls were {:?}", calls.borrow());
        }
    }

    /// Waits for this call after the first `from` calls.
    #[track_caller]
    pub(crate) fn until_called(&self, from: usize, wanted: SinkCall) -> impl Future<Output = ()> {
        self.until(move |all| all[from..].contains(&wanted))
    }
}

pub(crate) fn events(all: &[SinkCall]) -> Vec<LiveEvent> {
    all.iter().filter_map(|call| if let SinkCall::Deliver(event) = call { Some(event.clone()) } else { None }).collect()
}

impl PeerSink for Recorder {
    fn deliver(&self, event: PeerEvent) {
        self.note(SinkCall::Deliver(event.into()));
    }
    fn mark_suspect(&self, gap: SuspectedGap) {
        self.note(SinkCall::MarkSuspect(gap));
    }
    fn set_peers_reachable(&self, reachable: bool) {
        self.note(SinkCall::PeersReachable(reachable));
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
    /// Aborted when the node is dropped.
    running: JoinSet<()>,
}

impl Node {
    /// Node `n`, which need not be connected yet.
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
        let fanout = RedisFanout::new(config, credentials, Arc::new(Now), Arc::clone(&sink) as Arc<dyn PeerSink>);
        let (fanout, tasks) = fanout.unwrap();
        let mut running = JoinSet::new();
        for (_, task) in tasks {
            running.spawn(task);
        }
        let notifier = fanout.notifier(Arc::clone(&local) as Arc<dyn Notifier>);
        Self { fanout, sink, local, notifier, running }
    }

    /// Node `n`, once the others are reachable.
    pub(crate) async fn start(redis: &PrivateRedis, n: u128) -> Self {
        Self::start_at(&redis.url(), n).await
    }

    /// As `start`, with any URL.
    pub(crate) async fn start_at(url: &str, n: u128) -> Self {
        let node = Self::begin_at(url, n, |_| ());
        assert!(node.fanout.wait_until_connected(PATIENCE).await);
        node
    }

    /// Ends it as a crash does. Its fan-out would say goodbye if it was dropped while the tasks run.
    pub(crate) async fn crash(mut self) {
        self.running.shutdown().await;
    }

    /// Waits until the others are reachable again, after the first `from` calls.
    pub(crate) async fn until_reachable_again(&self, from: usize) {
        self.sink.until_called(from, SinkCall::PeersReachable(true)).await;
        let all = self.sink.all();
        let received = from + all[from..].iter().position(|call| *call == SinkCall::PeersReachable(true)).unwrap();
        assert_eq!(all[received - 1], SinkCall::MarkSuspect(SuspectedGap::AllSessions), "{all:?}");
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

/// A client that reads and writes everything in Redis.
pub(crate) struct Stranger {
    connection: MultiplexedConnection,
    received: Arc<Mutex<Vec<Published>>>,
}

impl Stranger {
    pub(crate) async fn at(redis: &PrivateRedis) -> Self {
        let client = redis::Client::open(redis.url()).unwrap();
        // The library's own limits, of half a second for a response, are for machines that are not busy.
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(PATIENCE)).set_response_timeout(Some(PATIENCE));
        let connection = client.get_multiplexed_async_connection_with_config(&config).await.unwrap();
        let mut listener = client.get_async_pubsub().await.unwrap();
        listener.psubscribe("*").await.unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&received);
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
        Self { connection, received }
    }

    /// Everything that was published so far, once each.
    pub(crate) fn received(&self) -> Vec<Published> {
        self.received.lock().unwrap().clone()
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
    })
}

/// The part of the sessions that this one is in.
pub(crate) fn shard(session: u64) -> SuspectedGap {
    SuspectedGap::Shard { index: session_shard(fixtures::session_id(session), 64), of: 64 }
}

/// The shards of which events are missing, by the counters of a peer. That a peer was silent for too long, which makes all
/// sessions suspect, is not among them: on a busy machine its heartbeats are late.
pub(crate) fn suspected_shards(calls: &[SinkCall]) -> Vec<SuspectedGap> {
    let of_shard = |call: &SinkCall| match call {
        SinkCall::MarkSuspect(gap @ SuspectedGap::Shard { .. }) => Some(*gap),
        _ => None,
    };
    calls.iter().filter_map(of_shard).collect()
}

/// Waits until Redis is known to be unreachable, and returns the reason.
pub(crate) async fn outage_reason(node: &Node) -> String {
    eventually("there is outage_reason", || node.fanout.outage_reason().is_some()).await;
    node.fanout.outage_reason().unwrap()
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
