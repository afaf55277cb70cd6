//! The task that reads what other nodes say and tells this node's hub. It decodes and calls the sink, and never waits for
//! anything but the next message.

use std::sync::Arc;
use std::time::Duration;

use chat_domain::ports::{Clock, EventSink, Missed};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::debug;
use uuid::Uuid;

use crate::dirty::Suspects;
use crate::envelope::{self, Envelope, Said};
use crate::freshness::{Freshness, NotFresh};
use crate::inbox::Inbound;
use crate::link::{Finding, Link};
use crate::metering::{Metering, Rejection};
use crate::names::{Channel, SHARDS};
use crate::queue::Receiver;
use crate::signature::{self, CurrentSigner, Signer};
use crate::skew::Skew;
use crate::status::Status;

/// How exact the times of silence are.
const TICK: Duration = Duration::from_millis(250);

/// The most bytes of a message without a valid signature that are read, to count it by its reason. The heartbeats of nodes
/// of another database, which come every second, have fewer; what else a stranger writes is to cost no memory.
const EXPLAINED: usize = 4 << 10;

/// What happens to the connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Control {
    /// This one is subscribed to everything.
    Subscribed(u64),
    /// This one is gone.
    Lost(u64),
}

/// The reader with its state.
pub(crate) struct Reader {
    pub(crate) me: Uuid,
    pub(crate) link: Link,
    pub(crate) freshness: Freshness,
    pub(crate) skew: Skew,
    pub(crate) signer: CurrentSigner,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) sink: Arc<dyn EventSink>,
    pub(crate) inbox: Receiver<Inbound>,
    pub(crate) suspects: Suspects,
    pub(crate) control: mpsc::UnboundedReceiver<Control>,
    /// Tells which connection is of no use.
    pub(crate) deaf: watch::Sender<u64>,
    pub(crate) status: Arc<Status>,
    pub(crate) metering: Metering,
    /// The connection that is in use.
    pub(crate) generation: u64,
}

impl Reader {
    /// Reads until nobody controls it any more.
    pub(crate) async fn run(mut self) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // In this order: a flood of messages must not hide the end of the connection.
            tokio::select! {
                biased;
                control = self.control.recv() => match control {
                    Some(Control::Subscribed(generation)) => {
                        self.generation = generation;
                        self.link.subscribed(now());
                    }
                    Some(Control::Lost(generation)) => if generation == self.generation {
                        self.lost();
                    },
                    None => return,
                },
                _ = ticks.tick() => {
                    self.freshness.tidy(now());
                    let findings = self.link.tick(now());
                    self.act(&findings);
                }
                Some(inbound) = self.inbox.take() => self.read(&inbound),
            }
            // Those that wait are found after a tick at the latest.
            for index in self.suspects.due(now()).into_iter().flatten() {
                self.missed(Missed::Shard { index, of: SHARDS });
            }
        }
    }

    fn lost(&mut self) {
        if self.link.lost() {
            self.status.deaf();
            self.sink.heard(false);
        }
    }

    fn read(&mut self, inbound: &Inbound) {
        let signer = Arc::clone(&self.signer.borrow());
        let Envelope { node, counter, said, .. } = match self.believe(&signer, inbound) {
            Ok(envelope) => envelope,
            Err(rejection) => {
                debug!(channel = ?inbound.channel, reason = rejection.as_str(), "a message in Redis is not believed");
                self.metering.rejected(rejection);
                return;
            }
        };
        match (said, inbound.channel) {
            (Said::Event(event), Channel::Shard(shard)) => {
                if node != self.me {
                    self.metering.received.increment(1);
                    self.count(node, shard, counter, inbound);
                    self.sink.deliver(event);
                }
            }
            (Said::Unreadable, Channel::Shard(shard)) => {
                if node != self.me {
                    self.metering.unreadable.increment(1);
                    self.count(node, shard, counter, inbound);
                    self.missed(Missed::Shard { index: shard, of: SHARDS });
                }
            }
            // Nothing to show and nothing to compare, but a number of its node all the same.
            (Said::Ephemeral, Channel::Shard(shard)) => {
                if node != self.me {
                    self.metering.received.increment(1);
                    self.count(node, shard, counter, inbound);
                }
            }
            // What comes on a connection that was given up says nothing about the one in use.
            (Said::Heartbeat(counters), Channel::Nodes) => {
                if inbound.generation == self.generation {
                    let findings = self.link.heartbeat(node, &counters, now());
                    self.act(&findings);
                }
            }
            (Said::Goodbye(counters), Channel::Nodes) => {
                if inbound.generation == self.generation {
                    let findings = self.link.goodbye(node, &counters, now());
                    self.act(&findings);
                }
            }
            (Said::Event(_) | Said::Ephemeral | Said::Unreadable, Channel::Nodes)
            | (Said::Heartbeat(_) | Said::Goodbye(_), Channel::Shard(_)) => self.metering.unreadable.increment(1),
        }
    }

    /// What is said, if a node of our database says it, and for the first time.
    fn believe<'a>(&mut self, signer: &Signer, inbound: &'a Inbound) -> Result<Envelope<'a>, Rejection> {
        let Some(message) = signer.verify(inbound.channel, &inbound.payload) else {
            return Err(why_not_signed(signer, &inbound.payload));
        };
        let envelope = envelope::read(message).ok_or(Rejection::Malformed)?;
        // A copy of the database has the key.
        belongs(signer, &envelope)?;
        let number = (envelope.node, inbound.channel, envelope.counter);
        let times = (self.clock.now(), now());
        match self.freshness.admit(number, envelope.at, times) {
            Ok(()) => Ok(envelope),
            Err(NotFresh::Stale) => {
                self.skew.report(envelope.node, envelope.at, times);
                Err(Rejection::Stale)
            }
            Err(NotFresh::Replayed) => Err(Rejection::Replayed),
        }
    }

    fn count(&mut self, node: Uuid, shard: u16, counter: u64, inbound: &Inbound) {
        if inbound.generation != self.generation {
            return;
        }
        let finding = self.link.event(node, shard, counter, now());
        self.act(finding.as_slice());
    }

    fn act(&mut self, findings: &[Finding]) {
        for finding in findings {
            match *finding {
                Finding::Missed(missed) => self.missed(missed),
                Finding::Heard => {
                    self.sink.heard(true);
                    // After the sink, so that whoever waits for it finds that the sink knows.
                    self.status.heard(self.generation);
                }
                Finding::Doubtful => self.sink.heard(false),
                Finding::Deaf => {
                    self.status.deaf();
                    self.sink.heard(false);
                    self.deaf.send_replace(self.generation);
                }
            }
        }
    }

    fn missed(&self, missed: Missed) {
        self.metering.gaps.increment(1);
        self.sink.missed(missed);
    }
}

fn belongs(signer: &Signer, envelope: &Envelope<'_>) -> Result<(), Rejection> {
    if envelope.database != signer.credentials.database {
        return Err(Rejection::Database);
    }
    if envelope.epoch == signer.credentials.epoch.as_str() { Ok(()) } else { Err(Rejection::Epoch) }
}

/// The reason to count: what it says of itself, which nobody vouches for, may explain it.
fn why_not_signed(signer: &Signer, payload: &[u8]) -> Rejection {
    if payload.len() > EXPLAINED {
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
    use crate::envelope::Sender;
    use crate::names::Names;

    fn signer(database: &str, key: u8) -> Signer {
        let (database, epoch) = (database.to_owned(), Epoch::parse("e").unwrap());
        Signer::new(Names::new("chat"), FanoutCredentials { database, epoch, key: FanoutKey::from_bytes([key; 32]) })
    }

    #[test]
    fn the_reason_is_looked_for_in_messages_of_the_size_of_heartbeats_alone() {
        let (ours, theirs) = (signer("1-2", 1), signer("3-4", 2));
        let at = Timestamp::from_unix_ms(i64::MAX);
        let sender = Sender { node: Uuid::from_u128(7), database: "3-4", epoch: "e", at };
        let counters = |count: u16| vec![u64::MAX; usize::from(count)];
        let said = |count| theirs.sign(Channel::Nodes, envelope::heartbeat(sender, u64::MAX, &counters(count)));
        assert_eq!(why_not_signed(&ours, &said(SHARDS)), Rejection::Database);
        assert_eq!(why_not_signed(&ours, &said(SHARDS * 4)), Rejection::Signature, "not read");
        assert_eq!(why_not_signed(&ours, b"nonsense"), Rejection::Malformed);
    }
}
