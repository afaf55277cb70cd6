//! The task that keeps the connection for events: connects, subscribes, publishes events and heartbeats.
//!
//! One connection carries both directions. So a heartbeat that comes back proves both, and it comes after every event
//! that was published before it.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use chat_domain::model::FanoutCredentials;
use chat_domain::ports::Clock;
use chat_realtime::{PeerEvent, session_shard};
use redis::AsyncConnectionConfig;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, sleep};
use uuid::Uuid;

use crate::backoff::{Backoff, random};
use crate::dial::{Dialer, RedisConnection};
use crate::envelope::{self, EnvelopeHead};
use crate::error::{self, RedisFailure};
use crate::failure_detector::{HEARTBEAT, PEER_TIMEOUT, ShardCounters};
use crate::inbox::Inbox;
use crate::metering::RedisMetrics;
use crate::names::{Channel, ChannelNames, SHARDS};
use crate::outbox::DroppedCounts;
use crate::queue::QueueReceiver;
use crate::reader::ConnectionEvent;
use crate::signal::reached;
use crate::signature::{CurrentSigner, Signer};
use crate::status::PeerStatus;

/// The most events, and about the most bytes, in one pipeline. The events behind it make the next one.
const BATCH: usize = 256;
const BATCH_BYTES: usize = 1 << 20;

/// The connection with its state.
pub(crate) struct PubSubConnection {
    pub(crate) node: Uuid,
    pub(crate) dialer: Dialer,
    /// Which of the servers is the first to be tried.
    pub(crate) first: u64,
    pub(crate) names: ChannelNames,
    pub(crate) outbox: QueueReceiver<PeerEvent>,
    pub(crate) dropped: Arc<DroppedCounts>,
    /// How many events of each shard have been numbered.
    pub(crate) counters: ShardCounters,
    /// How many heartbeats and goodbyes this node has numbered.
    pub(crate) node_messages: u64,
    pub(crate) signer: CurrentSigner,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) inbox: Inbox,
    pub(crate) control: mpsc::UnboundedSender<ConnectionEvent>,
    pub(crate) disconnected: watch::Receiver<u64>,
    pub(crate) closing: watch::Receiver<bool>,
    pub(crate) status: Arc<PeerStatus>,
    pub(crate) metering: RedisMetrics,
}

/// Why a connection is no longer served.
enum DisconnectReason {
    Closing,
    Lost(String),
}

impl PubSubConnection {
    /// Runs until the fan-out closes.
    pub(crate) async fn run(mut self) {
        let mut backoff = Backoff::new();
        for generation in 1.. {
            let from = self.first.wrapping_add(generation);
            let attempt = connect(self.dialer.clone(), from, self.names.channels(), self.inbox.clone(), generation);
            let reason = match self.while_disconnected(attempt).await {
                None => return,
                Some(Err(failure)) => failure.to_string(),
                Some(Ok((connection, gone))) => {
                    // The receiver lives as long as this task.
                    let _always_there = self.control.send(ConnectionEvent::Subscribed(generation));
                    let end = self.serve(connection, &gone, generation).await;
                    let _always_there = self.control.send(ConnectionEvent::Lost(generation));
                    if self.status.was_reachable_on(generation) {
                        backoff.reset();
                        self.metering.reconnects.increment(1);
                    }
                    match end {
                        DisconnectReason::Closing => return,
                        DisconnectReason::Lost(reason) => reason,
                    }
                }
            };
            self.status.report(&reason);
            if self.while_disconnected(sleep(backoff.pause(random()))).await.is_none() {
                return;
            }
        }
    }

    /// Polls `work` while there is no connection. Events are dropped meanwhile: the other nodes will have read them
    /// from the database, and typing will be out of date. `None` when the fan-out closes.
    async fn while_disconnected<F: Future>(&mut self, work: F) -> Option<F::Output> {
        let mut work = pin!(work);
        let mut closing = self.closing.clone();
        loop {
            tokio::select! {
                biased;
                () = reached(&mut closing, true) => return None,
                done = &mut work => return Some(done),
                Some(event) = self.outbox.recv() => {
                    self.metering.waiting.decrement(1.0);
                    self.metering.dropped.increment(1);
                    self.number(&event);
                }
            }
        }
    }

    async fn serve(&mut self, mut connection: RedisConnection, gone: &Notify, generation: u64) -> DisconnectReason {
        let mut heartbeats = interval(HEARTBEAT);
        heartbeats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut closing, mut disconnected) = (self.closing.clone(), self.disconnected.clone());
        loop {
            let mut events = Vec::new();
            let mut heartbeat = false;
            tokio::select! {
                biased;
                () = reached(&mut closing, true) => {
                    self.send_goodbye(&mut connection).await;
                    return DisconnectReason::Closing;
                }
                () = gone.notified() => return DisconnectReason::Lost("the connection was closed".to_owned()),
                () = reached(&mut disconnected, generation) => {
                    return DisconnectReason::Lost(format!("no heartbeat came back through it for {} s", PEER_TIMEOUT.as_secs()));
                }
                _ = heartbeats.tick() => heartbeat = true,
                Some(event) = self.outbox.recv() => events.push(event),
            }
            self.fill(&mut events);
            if let Err(failure) = self.publish(&mut connection, events, heartbeat).await {
                return DisconnectReason::Lost(failure.to_string());
            }
        }
    }

    /// Adds the events that wait, as far as there is room in a pipeline.
    fn fill(&mut self, events: &mut Vec<PeerEvent>) {
        let mut bytes: usize = events.iter().map(PeerEvent::bytes).sum();
        while events.len() < BATCH && bytes < BATCH_BYTES {
            let Some(event) = self.outbox.try_recv() else { return };
            bytes += event.bytes();
            events.push(event);
        }
    }

    /// Publishes events, and a heartbeat behind them, in one pipeline. A failed pipeline is not repeated: the numbers
    /// are taken, so the other nodes find the gap.
    async fn publish(
        &mut self,
        connection: &mut RedisConnection,
        events: Vec<PeerEvent>,
        heartbeat: bool,
    ) -> Result<(), RedisFailure> {
        let signer = Arc::clone(&self.signer.borrow());
        let mut pipeline = redis::pipe();
        for event in &events {
            let (shard, counter) = self.number(event);
            let message = envelope::event(self.head(&signer), counter, event);
            let channel = Channel::Shard(shard);
            pipeline.cmd("PUBLISH").arg(self.names.of(channel)).arg(signer.sign(channel, message)).ignore();
        }
        if heartbeat {
            let message = self.node_message(&signer, envelope::heartbeat);
            pipeline.cmd("PUBLISH").arg(self.names.of(Channel::Nodes)).arg(message).ignore();
        }
        let (count, number) = (u64::try_from(events.len()).unwrap_or(u64::MAX), as_f64(events.len()));
        self.metering.waiting.decrement(number);
        drop(events);
        let done = pipeline.query_async::<()>(&mut **connection).await;
        if count > 0 {
            self.metering.batch.record(number);
            let counted = if done.is_ok() { &self.metering.published } else { &self.metering.dropped };
            counted.increment(count);
        }
        Ok(done?)
    }

    /// The shard of an event, and its number there, behind those of the events that were dropped.
    fn number(&mut self, event: &PeerEvent) -> (u16, u64) {
        self.dropped.count_into(&mut self.counters);
        let shard = session_shard(event.session_id(), SHARDS);
        let Some(counter) = self.counters.get_mut(usize::from(shard)) else { return (shard, 0) };
        *counter += 1;
        (shard, *counter)
    }

    fn head<'a>(&self, signer: &'a Signer) -> EnvelopeHead<'a> {
        let FanoutCredentials { database, epoch, .. } = &signer.credentials;
        EnvelopeHead { node: self.node, database, epoch: epoch.as_str(), at: self.clock.now() }
    }

    /// A signed message about this node, with the counts of what it has published by now.
    fn node_message(&mut self, signer: &Signer, encode: fn(EnvelopeHead<'_>, u64, &[u64]) -> Vec<u8>) -> Vec<u8> {
        self.dropped.count_into(&mut self.counters);
        self.node_messages += 1;
        signer.sign(Channel::Nodes, encode(self.head(signer), self.node_messages, &self.counters))
    }

    /// Publishes the events that still wait, and a goodbye.
    async fn send_goodbye(&mut self, connection: &mut RedisConnection) {
        loop {
            let mut events = Vec::new();
            self.fill(&mut events);
            if events.is_empty() {
                break;
            }
            if self.publish(connection, events, false).await.is_err() {
                return;
            }
        }
        let signer = Arc::clone(&self.signer.borrow());
        let message = self.node_message(&signer, envelope::goodbye);
        let mut goodbye = redis::cmd("PUBLISH");
        goodbye.arg(self.names.of(Channel::Nodes)).arg(message);
        if let Err(error) = goodbye.exec_async(&mut **connection).await {
            tracing::debug!(reason = error::message(&error), "cannot publish a goodbye to the other nodes");
        }
    }
}

/// A new connection that is subscribed to all channels, and the notification of its end.
async fn connect(
    dialer: Dialer,
    from: u64,
    channels: Vec<String>,
    inbox: Inbox,
    generation: u64,
) -> Result<(RedisConnection, Arc<Notify>), RedisFailure> {
    let gone = Arc::new(Notify::new());
    let config = AsyncConnectionConfig::new()
        .set_response_timeout(Some(PEER_TIMEOUT))
        .set_push_sender(inbox.of_connection(generation, Arc::clone(&gone)));
    let mut connection = dialer.connect(from, &config).await?;
    connection.subscribe(channels).await?;
    Ok((connection, gone))
}

fn as_f64(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}
