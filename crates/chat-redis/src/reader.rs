//! The task that reads what other nodes say and tells this node's hub. It decodes and calls the sink, and never waits for
//! anything but the next message.

use std::sync::Arc;
use std::time::Duration;

use chat_domain::ports::{EventSink, Missed};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::debug;
use uuid::Uuid;

use crate::envelope::{self, Envelope, Said};
use crate::inbox::{Dirty, Inbound};
use crate::link::{Finding, Link};
use crate::metering::Metering;
use crate::names::{Channel, SHARDS};
use crate::queue::Receiver;
use crate::status::Status;

/// How exact the times of silence are.
const TICK: Duration = Duration::from_millis(250);

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
    pub(crate) sink: Arc<dyn EventSink>,
    pub(crate) inbox: Receiver<Inbound>,
    pub(crate) dirty: Arc<Dirty>,
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
                    let findings = self.link.tick(now());
                    self.act(&findings);
                }
                Some(inbound) = self.inbox.take() => self.read(&inbound),
            }
            for index in self.dirty.take() {
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
        let Some(Envelope { node, said }) = envelope::read(&inbound.payload) else {
            debug!(channel = ?inbound.channel, "a message in Redis is none of a node's");
            self.metering.unreadable.increment(1);
            if let Channel::Shard(index) = inbound.channel {
                self.missed(Missed::Shard { index, of: SHARDS });
            }
            return;
        };
        match said {
            Said::Event { counter, event } => {
                if node == self.me {
                    return;
                }
                self.metering.received.increment(1);
                self.count(node, counter, inbound);
                self.sink.deliver(event);
            }
            Said::Unreadable { counter } => {
                if node == self.me {
                    return;
                }
                self.metering.unreadable.increment(1);
                self.count(node, counter, inbound);
                if let Channel::Shard(index) = inbound.channel {
                    self.missed(Missed::Shard { index, of: SHARDS });
                }
            }
            // What comes on a connection that was given up says nothing about the one in use.
            Said::Heartbeat { counters } => {
                if inbound.generation == self.generation {
                    let findings = self.link.heartbeat(node, &counters, now());
                    self.act(&findings);
                }
            }
            Said::Goodbye { counters } => {
                if inbound.generation == self.generation {
                    let findings = self.link.goodbye(node, &counters, now());
                    self.act(&findings);
                }
            }
            Said::Other => self.metering.unreadable.increment(1),
        }
    }

    fn count(&mut self, node: Uuid, counter: u64, inbound: &Inbound) {
        if inbound.generation != self.generation {
            return;
        }
        let Channel::Shard(shard) = inbound.channel else { return };
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

/// The runtime's clock, which tests can stop.
fn now() -> std::time::Instant {
    Instant::now().into_std()
}
