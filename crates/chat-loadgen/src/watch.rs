//! Sockets under load: how many messages they receive, how long after sending, and whether in one order. In extended mode
//! each is resumed where it was lost, and nothing may be missing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::time::sleep;

use crate::error::LoadError;
use crate::fleet::{Fleet, FleetPlan};
use crate::measure::Latency;

/// What the sockets saw. Serialises to the documented JSON object.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WatchReport {
    /// `watch`.
    pub command: &'static str,
    /// Sockets at the same time.
    pub sockets: usize,
    /// Sessions they were spread over.
    pub sessions: usize,
    /// From the first handshake to the end.
    pub seconds: f64,
    /// Handshakes that succeeded; more than `sockets` when some were lost.
    pub opened: u64,
    /// Handshakes that were refused, by status.
    pub refused: BTreeMap<String, u64>,
    /// Sockets that the service closed, by code.
    pub closed: BTreeMap<String, u64>,
    /// Connections that were lost or could not be made.
    pub lost: u64,
    /// Sockets that went on right where another one had been lost.
    pub resumed: u64,
    /// Sockets that could not, by the service's reason.
    pub not_resumed: BTreeMap<String, u64>,
    /// From losing a socket to the hello of the next one; `null` when none was resumed.
    pub resumption_us: Option<Latency>,
    /// Messages received, each socket on its own.
    pub messages: u64,
    /// Other durable events received.
    pub other_events: u64,
    /// Events that had come before and were dropped.
    pub repeated: u64,
    /// `messages` by `seconds`.
    pub messages_per_second: f64,
    /// From sending to receiving, of messages that say when they were sent and came while their socket was open; `null` when
    /// there are none.
    pub delivery_us: Option<Latency>,
    /// The same of messages that a resumed socket brought.
    pub replayed_us: Option<Latency>,
    /// Messages that came in another order than on another socket, doubled, or with a gap.
    pub order_faults: u64,
    /// The first of them, in words.
    pub first_faults: Vec<String>,
}

/// Opens the sockets and receives until the time is over; `each_second` hears how it goes. Must run inside a `LocalSet`.
///
/// # Errors
/// The process may not have so many sockets. What goes wrong with them is counted.
pub async fn watch(
    plan: FleetPlan,
    duration: Duration,
    mut each_second: impl FnMut(Duration, &Fleet),
) -> Result<WatchReport, LoadError> {
    let (sockets, sessions) = (plan.sockets, plan.places.len());
    let started = Instant::now();
    let fleet = Fleet::launch(plan)?;
    while let Some(left) = duration.checked_sub(started.elapsed()).filter(|left| !left.is_zero()) {
        sleep(left.min(Duration::from_secs(1))).await;
        each_second(started.elapsed(), &fleet);
    }
    let seconds = started.elapsed().as_secs_f64();
    let seen = fleet.seen();
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    let messages_per_second = (seen.messages as f64 / seconds * 100.0).round() / 100.0;
    Ok(WatchReport {
        command: "watch",
        sockets,
        sessions,
        seconds: (seconds * 100.0).round() / 100.0,
        opened: seen.opened,
        refused: seen.refused(),
        closed: seen.closed(),
        lost: seen.lost(),
        resumed: seen.resumed,
        not_resumed: seen.not_resumed,
        resumption_us: seen.resumption,
        messages: seen.messages,
        other_events: seen.other_events,
        repeated: seen.repeated,
        messages_per_second,
        delivery_us: seen.delivery,
        replayed_us: seen.replayed,
        order_faults: seen.order_faults,
        first_faults: seen.first_faults,
    })
}
