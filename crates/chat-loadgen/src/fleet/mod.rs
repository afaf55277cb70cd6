//! Many sockets at the same time, each a task of one thread: opened, read, dropped and resumed together.

mod counts;
mod member;
mod multiplexed;
mod order;
mod plan;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::timeout;

pub use plan::{FleetPlan, MultiplexPlan, Reading, SOCKETS_OF_A_PERSON};

use self::counts::FleetCounts;
use self::member::{FleetState, Member, run};
use crate::error::LoadError;
use crate::measure::LatencySummary;
use crate::net::allow_connections;
use crate::socket::ClientCloseReason;

/// The sockets. When it is dropped they are, without a close frame.
#[derive(Debug)]
pub struct Fleet {
    state: Rc<FleetState>,
    tasks: Vec<JoinHandle<()>>,
}

/// What the sockets received up to now.
#[derive(Clone, Debug, PartialEq)]
pub struct FleetSummary {
    /// Handshakes that succeeded.
    pub opened: u64,
    /// Why handshakes failed and sockets ended.
    pub closed: BTreeMap<ClientCloseReason, u64>,
    /// Messages, each socket on its own.
    pub messages: u64,
    /// Other durable events; of [`Reading::Frames`], everything else.
    pub other_events: u64,
    /// Events that had come before and were dropped.
    pub repeated: u64,
    /// From sending to receiving, of messages that came while their socket was open.
    pub delivery: Option<LatencySummary>,
    /// The same of those that a resumed socket replayed.
    pub replayed: Option<LatencySummary>,
    /// Updates of inboxes.
    pub inbox_updates: u64,
    /// From sending to receiving, of the first update of an inbox that shows a message.
    pub inbox: Option<LatencySummary>,
    /// Of handshakes that succeeded, the hello included; of multiplexed sockets, also the inbox and the subscriptions.
    pub handshake: Option<LatencySummary>,
    /// From losing a socket to the hello of the socket that resumed it; of multiplexed sockets, each subscription on
    /// its own.
    pub resumption: Option<LatencySummary>,
    /// Sockets or subscriptions that resumed.
    pub resumed: u64,
    /// Those that could not, by the service's reason.
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
        let state = FleetState {
            counts: FleetCounts::new()?.into(),
            members: (0..plan.sockets).map(|_| Member::default()).collect(),
            handshakes: Semaphore::new(plan.at_once),
            open: watch::channel(0).0,
            received: Notify::new(),
            plan,
        };
        let mut fleet = Self { state: Rc::new(state), tasks: Vec::new() };
        fleet.open_all();
        Ok(fleet)
    }

    /// Opens all sockets; in extended mode those that were dropped resume.
    pub fn open_all(&mut self) {
        self.drop_all();
        let task = |number| spawn_local(run(Rc::clone(&self.state), number));
        self.tasks = (0..self.state.plan.sockets).map(task).collect();
    }

    /// Ends all sockets at once, without a close frame.
    pub fn drop_all(&mut self) {
        self.tasks.drain(..).for_each(|task| task.abort());
    }

    /// How many are open now; in extended mode, have had their hello.
    pub fn open(&self) -> usize {
        *self.state.open.borrow()
    }

    /// Waits until this holds for the number of open sockets.
    ///
    /// # Errors
    /// It does not within `limit`; the text says what happened to the sockets.
    pub async fn until(&self, limit: Duration, holds: impl Fn(usize) -> bool) -> Result<(), LoadError> {
        let mut open = self.state.open.subscribe();
        if timeout(limit, open.wait_for(|open| holds(*open))).await.is_ok() {
            return Ok(());
        }
        let closed = &self.state.counts.borrow().closed;
        let reasons: Vec<String> = closed.iter().map(|(reason, count)| format!("{}: {count}", reason.name())).collect();
        let (open, all) = (self.open(), self.state.plan.sockets);
        let reasons = reasons.join(", ");
        Err(LoadError::setup(format!("after {limit:?}, {open} of {all} sockets are open; ended: {reasons}")))
    }

    /// Waits until all are open.
    ///
    /// # Errors
    /// They are not within `limit`.
    pub async fn until_open(&self, limit: Duration) -> Result<(), LoadError> {
        let all = self.state.plan.sockets;
        self.until(limit, |open| open == all).await
    }

    /// Messages that came up to now, without the cost of everything else in [`Fleet::summary`].
    pub fn messages(&self) -> u64 {
        self.state.counts.borrow().messages
    }

    /// Waits until something comes.
    pub async fn until_received(&self) {
        self.state.received.notified().await;
    }

    /// Counts and times messages from now on.
    pub fn begin_measuring(&self) {
        self.state.counts.borrow_mut().clear();
    }

    /// What they received.
    pub fn summary(&self) -> FleetSummary {
        let counts = self.state.counts.borrow();
        FleetSummary {
            opened: counts.opened,
            closed: counts.closed.clone(),
            messages: counts.messages,
            other_events: counts.other_events,
            repeated: counts.repeated,
            delivery: LatencySummary::of(&counts.delivery),
            replayed: LatencySummary::of(&counts.replayed),
            inbox_updates: counts.inbox_updates,
            inbox: LatencySummary::of(&counts.inbox),
            handshake: LatencySummary::of(&counts.handshake),
            resumption: LatencySummary::of(&counts.resumption),
            resumed: counts.resumption.len(),
            not_resumed: counts.not_resumed.clone(),
            order_faults: counts.order_faults,
            first_faults: counts.first_faults.clone(),
            frame_bytes: counts.frame_bytes,
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.drop_all();
    }
}
