//! The task that keeps the connection for events: connects, subscribes, publishes what waits, says that this node lives.
//!
//! One connection carries both directions. So a heartbeat that comes back proves both, and it comes after everything that
//! was published before it.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use chat_domain::model::{FanoutCredentials, LiveEvent};
use chat_domain::ports::Clock;
use redis::AsyncConnectionConfig;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, sleep};
use uuid::Uuid;

use crate::backoff::{Backoff, random};
use crate::dial::{Connection, Dialer};
use crate::envelope::{self, Sender};
use crate::error::{Failure, words};
use crate::inbox::Inbox;
use crate::link::{Counters, HEARTBEAT, SILENCE};
use crate::metering::Metering;
use crate::names::{Channel, Names, SHARDS};
use crate::outbox::Lost;
use crate::queue::Receiver;
use crate::reader::Control;
use crate::signal::reached;
use crate::signature::{CurrentSigner, Signer};
use crate::status::Status;

/// The most events, and about the most bytes, in one pipeline. What waits behind it makes the next one.
const BATCH: usize = 256;
const BATCH_BYTES: usize = 1 << 20;

/// The line with its state.
pub(crate) struct Line {
    pub(crate) me: Uuid,
    pub(crate) dialer: Dialer,
    /// Which of the servers is the first to be tried.
    pub(crate) first: u64,
    pub(crate) names: Names,
    pub(crate) outbox: Receiver<LiveEvent>,
    pub(crate) lost: Arc<Lost>,
    /// How many events of each shard have been given a number.
    pub(crate) counters: Counters,
    /// How often this node has spoken of itself.
    pub(crate) beats: u64,
    pub(crate) signer: CurrentSigner,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) inbox: Inbox,
    pub(crate) control: mpsc::UnboundedSender<Control>,
    pub(crate) deaf: watch::Receiver<u64>,
    pub(crate) closing: watch::Receiver<bool>,
    pub(crate) status: Arc<Status>,
    pub(crate) metering: Metering,
}

/// Why a connection is no longer served.
enum End {
    Closing,
    Lost(String),
}

impl Line {
    /// Runs until the node closes.
    pub(crate) async fn run(mut self) {
        let mut backoff = Backoff::new();
        for generation in 1.. {
            let from = self.first.wrapping_add(generation);
            let attempt = connect(self.dialer.clone(), from, self.names.channels(), self.inbox.clone(), generation);
            let reason = match self.meanwhile(attempt).await {
                None => return,
                Some(Err(failure)) => failure.to_string(),
                Some(Ok((connection, gone))) => {
                    // The receiver lives as long as this task.
                    let _always_there = self.control.send(Control::Subscribed(generation));
                    let end = self.serve(connection, &gone, generation).await;
                    let _always_there = self.control.send(Control::Lost(generation));
                    if self.status.was_heard(generation) {
                        backoff.reset();
                        self.metering.reconnects.increment(1);
                    }
                    match end {
                        End::Closing => return,
                        End::Lost(reason) => reason,
                    }
                }
            };
            self.status.report(&reason);
            if self.meanwhile(sleep(backoff.pause(random()))).await.is_none() {
                return;
            }
        }
    }

    /// Does something while there is no connection. Events are not kept for later: the other nodes will have read them
    /// from the database, and who was typing then may not be typing any more. `None` when the node closes.
    async fn meanwhile<F: Future>(&mut self, work: F) -> Option<F::Output> {
        let mut work = pin!(work);
        let mut closing = self.closing.clone();
        loop {
            tokio::select! {
                biased;
                () = reached(&mut closing, true) => return None,
                done = &mut work => return Some(done),
                Some(event) = self.outbox.take() => {
                    self.metering.waiting.decrement(1.0);
                    self.metering.dropped.increment(1);
                    self.number(&event);
                }
            }
        }
    }

    async fn serve(&mut self, mut connection: Connection, gone: &Notify, generation: u64) -> End {
        let mut heartbeats = interval(HEARTBEAT);
        heartbeats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut closing, mut deaf) = (self.closing.clone(), self.deaf.clone());
        loop {
            let mut events = Vec::new();
            let mut heartbeat = false;
            tokio::select! {
                biased;
                () = reached(&mut closing, true) => {
                    self.say_goodbye(&mut connection).await;
                    return End::Closing;
                }
                () = gone.notified() => return End::Lost("the connection was closed".to_owned()),
                () = reached(&mut deaf, generation) => {
                    return End::Lost(format!("nothing comes back from it for {} s", SILENCE.as_secs()));
                }
                _ = heartbeats.tick() => heartbeat = true,
                Some(event) = self.outbox.take() => events.push(event),
            }
            self.fill(&mut events);
            if let Err(failure) = self.publish(&mut connection, events, heartbeat).await {
                return End::Lost(failure.to_string());
            }
        }
    }

    /// Adds what waits, as far as there is room in a pipeline.
    fn fill(&mut self, events: &mut Vec<LiveEvent>) {
        let mut bytes: usize = events.iter().map(LiveEvent::weight).sum();
        while events.len() < BATCH && bytes < BATCH_BYTES {
            let Some(event) = self.outbox.take_now() else { return };
            bytes += event.weight();
            events.push(event);
        }
    }

    /// Publishes events, and a heartbeat behind them, in one pipeline. What fails is not repeated: the numbers are taken,
    /// so the other nodes find the gap.
    async fn publish(
        &mut self,
        connection: &mut Connection,
        events: Vec<LiveEvent>,
        heartbeat: bool,
    ) -> Result<(), Failure> {
        let signer = Arc::clone(&self.signer.borrow());
        let mut pipeline = redis::pipe();
        for event in &events {
            let (shard, counter) = self.number(event);
            let message = envelope::event(self.sender(&signer), counter, event);
            let channel = Channel::Shard(shard);
            pipeline.cmd("PUBLISH").arg(self.names.of(channel)).arg(signer.sign(channel, message)).ignore();
        }
        if heartbeat {
            let message = self.of_itself(&signer, envelope::heartbeat);
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

    /// The shard of an event, and its number there, behind those of the events that found no room.
    fn number(&mut self, event: &LiveEvent) -> (u16, u64) {
        self.lost.count_into(&mut self.counters);
        let shard = event.session_id().shard(SHARDS);
        let Some(counter) = self.counters.get_mut(usize::from(shard)) else { return (shard, 0) };
        *counter += 1;
        (shard, *counter)
    }

    fn sender<'a>(&self, signer: &'a Signer) -> Sender<'a> {
        let FanoutCredentials { database, epoch, .. } = &signer.credentials;
        Sender { node: self.me, database, epoch: epoch.as_str(), at: self.clock.now() }
    }

    /// What this node says of itself, with what it has published by now.
    fn of_itself(&mut self, signer: &Signer, say: fn(Sender<'_>, u64, &[u64]) -> Vec<u8>) -> Vec<u8> {
        self.lost.count_into(&mut self.counters);
        self.beats += 1;
        signer.sign(Channel::Nodes, say(self.sender(signer), self.beats, &self.counters))
    }

    /// Publishes what still waits, and that nothing more will come.
    async fn say_goodbye(&mut self, connection: &mut Connection) {
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
        let message = self.of_itself(&signer, envelope::goodbye);
        let mut goodbye = redis::cmd("PUBLISH");
        goodbye.arg(self.names.of(Channel::Nodes)).arg(message);
        if let Err(error) = goodbye.exec_async(&mut **connection).await {
            tracing::debug!(reason = words(&error), "the other nodes were not told that this one ends");
        }
    }
}

/// A new connection that is subscribed to everything, and what tells that it is gone.
async fn connect(
    dialer: Dialer,
    from: u64,
    channels: Vec<String>,
    inbox: Inbox,
    generation: u64,
) -> Result<(Connection, Arc<Notify>), Failure> {
    let gone = Arc::new(Notify::new());
    let config = AsyncConnectionConfig::new()
        .set_response_timeout(Some(SILENCE))
        .set_push_sender(inbox.of_connection(generation, Arc::clone(&gone)));
    let mut connection = dialer.connect(from, &config).await?;
    connection.subscribe(channels).await?;
    Ok((connection, gone))
}

fn as_f64(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}
