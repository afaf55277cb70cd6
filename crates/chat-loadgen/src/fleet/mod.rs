//! Many sockets at the same time, each a task of one thread: opened, read, dropped and resumed together.

mod member;
mod order;
mod plan;
mod tally;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::timeout;

pub use plan::{FleetPlan, Reading};

use self::member::{Shared, Slot, live};
use self::tally::Tally;
use crate::error::LoadError;
use crate::measure::Latency;
use crate::net::allow_connections;
use crate::socket::SocketEnd;

/// The sockets. When it is dropped they are, without a farewell.
#[derive(Debug)]
pub struct Fleet {
    shared: Rc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

/// What the sockets saw up to now.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Handshakes that succeeded.
    pub opened: u64,
    /// Why handshakes failed and sockets ended.
    pub ends: BTreeMap<SocketEnd, u64>,
    /// Messages, each socket on its own.
    pub messages: u64,
    /// Other durable events; of [`Reading::Frames`], everything else.
    pub other_events: u64,
    /// Events that had come before and were dropped.
    pub repeated: u64,
    /// From sending to receiving, of messages that came while their socket was open.
    pub delivery: Option<Latency>,
    /// The same of those that a resumed socket brought.
    pub replayed: Option<Latency>,
    /// Of handshakes that succeeded, the hello included.
    pub handshake: Option<Latency>,
    /// From losing a socket to the hello that says that nothing was missed.
    pub resumption: Option<Latency>,
    /// Sockets that resumed.
    pub resumed: u64,
    /// Sockets that could not, by the service's reason.
    pub not_resumed: BTreeMap<String, u64>,
    /// Messages out of order, missing, or different on two sockets.
    pub order_faults: u64,
    /// The first of them, in words.
    pub first_faults: Vec<String>,
    /// Bytes of the first message's frame without its head, of [`Reading::Frames`].
    pub frame_bytes: Option<usize>,
}

impl Fleet {
    /// Opens the sockets. Must run inside a `LocalSet`. What goes wrong with one is counted.
    ///
    /// # Errors
    /// The process may not have so many.
    pub fn launch(plan: FleetPlan) -> Result<Self, LoadError> {
        allow_connections(plan.sockets)?;
        let shared = Shared {
            tally: Tally::new()?.into(),
            slots: (0..plan.sockets).map(|_| Slot::default()).collect(),
            handshakes: Semaphore::new(plan.at_once),
            open: watch::channel(0).0,
            received: Notify::new(),
            plan,
        };
        let mut fleet = Self { shared: Rc::new(shared), tasks: Vec::new() };
        fleet.relaunch();
        Ok(fleet)
    }

    /// Opens again what was dropped: in extended mode, right after what came before.
    pub fn relaunch(&mut self) {
        self.sink();
        let task = |number| spawn_local(live(Rc::clone(&self.shared), number));
        self.tasks = (0..self.shared.plan.sockets).map(task).collect();
    }

    /// Ends all sockets at once, without a close frame.
    pub fn sink(&mut self) {
        self.tasks.drain(..).for_each(|task| task.abort());
    }

    /// How many are open now; in extended mode, have had their hello.
    pub fn open(&self) -> usize {
        *self.shared.open.borrow()
    }

    /// Waits until this holds for the number of open sockets; answers how long it took.
    ///
    /// # Errors
    /// It does not within `limit`; the text says what happened to the sockets.
    pub async fn until(&self, limit: Duration, holds: impl Fn(usize) -> bool) -> Result<Duration, LoadError> {
        let begun = Instant::now();
        let mut open = self.shared.open.subscribe();
        let waited = timeout(limit, open.wait_for(|open| holds(*open))).await.is_ok();
        if waited {
            return Ok(begun.elapsed());
        }
        let ends: Vec<String> =
            self.seen().ends.iter().map(|(end, count)| format!("{}: {count}", end.name())).collect();
        let (open, all) = (self.open(), self.shared.plan.sockets);
        Err(LoadError::setup(format!("after {limit:?}, {open} of {all} sockets are open; ended: {}", ends.join(", "))))
    }

    /// Waits until all are open.
    ///
    /// # Errors
    /// They are not within `limit`.
    pub async fn until_open(&self, limit: Duration) -> Result<Duration, LoadError> {
        let all = self.shared.plan.sockets;
        self.until(limit, |open| open == all).await
    }

    /// Messages that came up to now, without the cost of everything else in [`Fleet::seen`].
    pub fn messages(&self) -> u64 {
        self.shared.tally.borrow().messages
    }

    /// Waits until something comes.
    pub async fn until_received(&self) {
        self.shared.received.notified().await;
    }

    /// Counts and times messages from now on.
    pub fn begin_measuring(&self) {
        self.shared.tally.borrow_mut().clear_counts();
    }

    /// What they saw.
    pub fn seen(&self) -> Seen {
        let tally = self.shared.tally.borrow();
        Seen {
            opened: tally.opened,
            ends: tally.ends.clone(),
            messages: tally.messages,
            other_events: tally.other_events,
            repeated: tally.repeated,
            delivery: Latency::of(&tally.delivery),
            replayed: Latency::of(&tally.replayed),
            handshake: Latency::of(&tally.handshake),
            resumption: Latency::of(&tally.resumption),
            resumed: tally.resumption.len(),
            not_resumed: tally.not_resumed.clone(),
            order_faults: tally.order_faults,
            first_faults: tally.first_faults.clone(),
            frame_bytes: tally.frame_bytes,
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.sink();
    }
}

impl Seen {
    /// Handshakes that were refused, by status.
    pub fn refused(&self) -> BTreeMap<String, u64> {
        let refused = self.ends.iter().filter_map(|(end, count)| match end {
            SocketEnd::Refused(status) => Some((status.to_string(), *count)),
            _ => None,
        });
        refused.collect()
    }

    /// Sockets that the service closed, by code.
    pub fn closed(&self) -> BTreeMap<String, u64> {
        let closed = self.ends.iter().filter_map(|(end, count)| match end {
            SocketEnd::Closed(code) => Some((code.to_string(), *count)),
            _ => None,
        });
        closed.collect()
    }

    /// Connections that were lost or could not be made.
    pub fn lost(&self) -> u64 {
        let lost = |end: &SocketEnd| !matches!(end, SocketEnd::Refused(_) | SocketEnd::Closed(_));
        self.ends.iter().filter(|(end, _)| lost(end)).map(|(_, count)| count).sum()
    }
}
