//! The task that reads the messages of other nodes: it verifies and decodes them and calls the sink, and never waits
//! for anything but the next message.

use std::sync::Arc;
use std::time::Duration;

use chat_domain::ports::Clock;
use chat_realtime::{PeerSink, SuspectedGap};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::debug;
use uuid::Uuid;

use crate::clock_skew::ClockSkew;
use crate::envelope::{self, Envelope, EnvelopeBody};
use crate::failure_detector::{FailureDetector, PeerVerdict};
use crate::inbox::Inbound;
use crate::metering::{RedisMetrics, Rejection};
use crate::names::{Channel, SHARDS};
use crate::overflowed_shards::ShardChecks;
use crate::queue::QueueReceiver;
use crate::replay_guard::{FreshnessError, ReplayGuard};
use crate::signature::{self, CurrentSigner, Signer};
use crate::status::PeerStatus;

/// How exact the timeouts of the failure detector are.
const TICK: Duration = Duration::from_millis(250);

/// The most bytes of a message without a valid signature that is parsed, to count it by its reason. The heartbeats of
/// nodes of another database, which come every second, have fewer; other foreign messages must cost no memory.
const MAX_EXPLAINED_BYTES: usize = 4 << 10;

/// A change of the connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ConnectionEvent {
    /// The connection of this generation is subscribed to all channels.
    Subscribed(u64),
    /// The connection of this generation is lost.
    Lost(u64),
}

/// The reader with its state.
pub(crate) struct ChannelReader {
    pub(crate) node: Uuid,
    pub(crate) detector: FailureDetector,
    pub(crate) replay_guard: ReplayGuard,
    pub(crate) clock_skew: ClockSkew,
    pub(crate) signer: CurrentSigner,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) sink: Arc<dyn PeerSink>,
    pub(crate) inbox: QueueReceiver<Inbound>,
    pub(crate) shard_checks: ShardChecks,
    pub(crate) control: mpsc::UnboundedReceiver<ConnectionEvent>,
    /// The generation of the latest connection that is dead.
    pub(crate) disconnected: watch::Sender<u64>,
    pub(crate) status: Arc<PeerStatus>,
    pub(crate) metering: RedisMetrics,
    /// The generation of the connection that is in use.
    pub(crate) generation: u64,
}

impl ChannelReader {
    /// Reads until the connection task has ended.
    pub(crate) async fn run(mut self) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // In this order: a flood of messages must not delay the end of the connection.
            tokio::select! {
                biased;
                control = self.control.recv() => match control {
                    Some(ConnectionEvent::Subscribed(generation)) => {
                        self.generation = generation;
                        self.detector.subscribed(now());
                    }
                    Some(ConnectionEvent::Lost(generation)) => if generation == self.generation {
                        self.lost();
                    },
                    None => return,
                },
                _ = ticks.tick() => {
                    self.replay_guard.tidy(now());
                    let verdicts = self.detector.tick(now());
                    self.apply(&verdicts);
                }
                Some(inbound) = self.inbox.recv() => self.read(&inbound),
            }
            // Those that are not due are found after a tick at the latest.
            for index in self.shard_checks.due(now()).into_iter().flatten() {
                self.mark_suspect(SuspectedGap::Shard { index, of: SHARDS });
            }
        }
    }

    fn lost(&mut self) {
        if self.detector.disconnected() {
            self.status.set_unreachable();
            self.sink.set_peers_reachable(false);
        }
    }

    fn read(&mut self, inbound: &Inbound) {
        let signer = Arc::clone(&self.signer.borrow());
        let Envelope { node, counter, body, .. } = match self.authenticate(&signer, inbound) {
            Ok(envelope) => envelope,
            Err(rejection) => {
                debug!(channel = ?inbound.channel, reason = rejection.as_str(), "rejected a message in Redis");
                self.metering.rejected(rejection);
                return;
            }
        };
        match (body, inbound.channel) {
            (EnvelopeBody::Event(event), Channel::Shard(shard)) => {
                if node != self.node {
                    self.metering.received.increment(1);
                    self.count_event(node, shard, counter, inbound);
                    self.sink.deliver(event);
                }
            }
            (EnvelopeBody::Unreadable, Channel::Shard(shard)) => {
                if node != self.node {
                    self.metering.unreadable.increment(1);
                    self.count_event(node, shard, counter, inbound);
                    self.mark_suspect(SuspectedGap::Shard { index: shard, of: SHARDS });
                }
            }
            // Nothing to show and nothing to compare, but it has a number of its node.
            (EnvelopeBody::Ephemeral, Channel::Shard(shard)) => {
                if node != self.node {
                    self.metering.received.increment(1);
                    self.count_event(node, shard, counter, inbound);
                }
            }
            // A message of a connection that was given up proves nothing about the one in use.
            (EnvelopeBody::Heartbeat(counters), Channel::Nodes) => {
                if inbound.generation == self.generation {
                    let verdicts = self.detector.heartbeat(node, &counters, now());
                    self.apply(&verdicts);
                }
            }
            (EnvelopeBody::Goodbye(counters), Channel::Nodes) => {
                if inbound.generation == self.generation {
                    let verdicts = self.detector.goodbye(node, &counters, now());
                    self.apply(&verdicts);
                }
            }
            (EnvelopeBody::Event(_) | EnvelopeBody::Ephemeral | EnvelopeBody::Unreadable, Channel::Nodes)
            | (EnvelopeBody::Heartbeat(_) | EnvelopeBody::Goodbye(_), Channel::Shard(_)) => {
                self.metering.unreadable.increment(1);
            }
        }
    }

    /// The envelope, if a node of the own database signed it, and it is new.
    fn authenticate<'a>(&mut self, signer: &Signer, inbound: &'a Inbound) -> Result<Envelope<'a>, Rejection> {
        let Some(message) = signer.verify(inbound.channel, &inbound.payload) else {
            return Err(rejection_reason(signer, &inbound.payload));
        };
        let envelope = envelope::read(message).ok_or(Rejection::Malformed)?;
        // A copy of the database has the key.
        belongs(signer, &envelope)?;
        let number = (envelope.node, inbound.channel, envelope.counter);
        let times = (self.clock.now(), now());
        match self.replay_guard.admit(number, envelope.at, times) {
            Ok(()) => Ok(envelope),
            Err(FreshnessError::Stale) => {
                self.clock_skew.report(envelope.node, envelope.at, times);
                Err(Rejection::Stale)
            }
            Err(FreshnessError::Replayed) => Err(Rejection::Replayed),
        }
    }

    fn count_event(&mut self, node: Uuid, shard: u16, counter: u64, inbound: &Inbound) {
        if inbound.generation != self.generation {
            return;
        }
        let verdict = self.detector.event(node, shard, counter, now());
        self.apply(verdict.as_slice());
    }

    fn apply(&mut self, verdicts: &[PeerVerdict]) {
        for verdict in verdicts {
            match *verdict {
                PeerVerdict::Gap(gap) => self.mark_suspect(gap),
                PeerVerdict::Reachable => {
                    self.sink.set_peers_reachable(true);
                    // After the sink, so that a caller that waits for the status finds the sink set.
                    self.status.set_reachable(self.generation);
                }
                PeerVerdict::Suspect => self.sink.set_peers_reachable(false),
                PeerVerdict::Disconnected => {
                    self.status.set_unreachable();
                    self.sink.set_peers_reachable(false);
                    self.disconnected.send_replace(self.generation);
                }
            }
        }
    }

    fn mark_suspect(&self, gap: SuspectedGap) {
        self.metering.gaps.increment(1);
        self.sink.mark_suspect(gap);
    }
}

fn belongs(signer: &Signer, envelope: &Envelope<'_>) -> Result<(), Rejection> {
    if envelope.database != signer.credentials.database {
        return Err(Rejection::Database);
    }
    if envelope.epoch == signer.credentials.epoch.as_str() { Ok(()) } else { Err(Rejection::Epoch) }
}

/// The reason to count: the unsigned content may explain it.
fn rejection_reason(signer: &Signer, payload: &[u8]) -> Rejection {
    if payload.len() > MAX_EXPLAINED_BYTES {
        return Rejection::Signature;
    }
    let Some(envelope) = signature::split(payload).and_then(|(message, _)| envelope::read(message)) else {
        return Rejection::Malformed;
    };
    belongs(signer, &envelope).err().unwrap_or(Rejection::Signature)
}

/// The runtime's clock, which tests can stop.
fn now() -> std::time::Instant {
    Instant::now().into_std()
}

#[cfg(test)]
mod tests {
    use chat_domain::model::{Epoch, FanoutCredentials, FanoutKey, Timestamp};

    use super::*;
    use crate::envelope::EnvelopeHead;
    use crate::names::ChannelNames;

    fn signer(database: &str, key: u8) -> Signer {
        let (database, epoch) = (database.to_owned(), Epoch::parse("e").unwrap());
        Signer::new(
            ChannelNames::new("chat"),
            FanoutCredentials { database, epoch, key: FanoutKey::from_bytes([key; 32]) },
        )
    }

    #[test]
    fn only_messages_as_short_as_heartbeats_are_parsed_for_a_reason() {
        let (ours, theirs) = (signer("1-2", 1), signer("3-4", 2));
        let at = Timestamp::from_unix_ms(i64::MAX);
        let sender = EnvelopeHead { node: Uuid::from_u128(7), database: "3-4", epoch: "e", at };
        let counters = |count: u16| vec![u64::MAX; usize::from(count)];
        let said = |count| theirs.sign(Channel::Nodes, envelope::heartbeat(sender, u64::MAX, &counters(count)));
        assert_eq!(rejection_reason(&ours, &said(SHARDS)), Rejection::Database);
        assert_eq!(rejection_reason(&ours, &said(SHARDS * 4)), Rejection::Signature, "not read");
        assert_eq!(rejection_reason(&ours, b"nonsense"), Rejection::Malformed);
    }
}
