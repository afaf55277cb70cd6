//! The core on the runtime tokio: the parts that a node wires and runs.

use std::sync::Arc;
use std::time::Duration;

use chat_domain::model::Epoch;
use chat_domain::ports::{EventLog, InboxReader};

use crate::feed::HubFeed;
use crate::hub::Hub;
use crate::inboxes::run_inboxes_with;
use crate::repair_driver::run_repair_with;
use crate::settings::InboxRules;
use crate::tokio_timer::TokioTimer;

/// How often typing is checked; its rules apply that much later at most.
const TICK: Duration = Duration::from_millis(250);

impl HubFeed {
    /// A feed on this hub and this log, whose sequence numbers are those of `epoch`. Every event in the log must be
    /// published to the hub after its commit; events that are lost on the way are found by [`run_repair`]. Its streams
    /// are polled on a tokio runtime.
    pub fn new(hub: Arc<Hub>, log: Arc<dyn EventLog>, epoch: Epoch) -> Arc<Self> {
        Self::with_timer(hub, log, epoch, Arc::new(TokioTimer::new()))
    }
}

/// Compares the sessions that have subscriptions in the hub with the log, until the hub is shut down. A node runs it
/// once, on its main runtime.
pub async fn run_repair(hub: Arc<Hub>, log: Arc<dyn EventLog>) {
    run_repair_with(hub, log, Arc::new(TokioTimer::new())).await;
}

/// Reads what changes for the open inboxes, until the hub is shut down. A node runs it once, on its main runtime.
pub async fn run_inboxes(hub: Arc<Hub>, sessions: Arc<dyn InboxReader>) {
    let (inboxes, timer) = (Arc::clone(hub.inboxes()), Arc::new(TokioTimer::new()));
    run_inboxes_with(inboxes, sessions, timer, InboxRules::default()).await;
}

/// Ends typing that has timed out, and delivers typing that had to wait, until the hub is shut down. A node runs it
/// once, on its main runtime.
pub async fn run_typing_expiry(hub: Arc<Hub>) {
    while !hub.is_shut_down() {
        tokio::time::sleep(TICK).await;
        hub.tick();
    }
}
