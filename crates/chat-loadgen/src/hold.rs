//! Holding sockets that have nothing to do: how fast they open, what one costs the service, and how fast all of them resume
//! when they are dropped at once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::time::sleep;

use crate::error::LoadError;
use crate::fleet::{Fleet, FleetPlan};
use crate::measure::{CpuMeter, Latency, resident_kib};
use crate::socket::{Mode, SocketEnd};

/// How long a service may take to notice that all sockets are gone, before they come again.
const QUIET: Duration = Duration::from_millis(500);

/// What to hold.
#[derive(Clone, Debug)]
pub struct HoldPlan {
    /// The sockets.
    pub fleet: FleetPlan,
    /// How long they are held once all are open.
    pub hold: Duration,
    /// Whether they are dropped then, and resumed.
    pub resume: bool,
    /// How long opening all of them may take.
    pub patience: Duration,
    /// The service's process, when it is on this machine and its memory and processor time are wanted.
    pub server: Option<u32>,
}

/// What it took. Serialises to the documented JSON object.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HoldReport {
    /// `hold`.
    pub command: &'static str,
    /// Sockets at the same time.
    pub sockets: usize,
    /// Sessions they were spread over.
    pub sessions: usize,
    /// From the first handshake until all were open.
    pub connect_seconds: f64,
    /// `sockets` by `connectSeconds`.
    pub connects_per_second: f64,
    /// Of handshakes, the hello included.
    pub handshake_us: Option<Latency>,
    /// How long they were held.
    pub hold_seconds: f64,
    /// Why sockets ended that were to be held, and handshakes failed.
    pub ends: BTreeMap<String, u64>,
    /// From the first handshake after the drop until the last hello; `null` when they were not dropped.
    pub resume_seconds: Option<f64>,
    /// Sockets that missed nothing by it.
    pub resumed: u64,
    /// Sockets that did, by the service's reason.
    pub not_resumed: BTreeMap<String, u64>,
    /// Events that resumed sockets got, and those out of order or missing.
    pub events: u64,
    /// Positions that were left out.
    pub order_faults: u64,
    /// Resident memory of the service before the first handshake; `null` when its process was not named.
    pub server_kib_before: Option<u64>,
    /// The same at the end of the hold.
    pub server_kib_held: Option<u64>,
    /// The difference by `sockets`.
    pub server_kib_per_socket: Option<f64>,
    /// Processor time of the service until all were open, by `sockets`.
    pub server_cpu_us_per_connect: Option<f64>,
    /// Processor time of the service while they were held, as a part of one core.
    pub server_cpu_while_held: Option<f64>,
    /// What one costs this process, in the same way.
    pub generator_kib_per_socket: Option<f64>,
}

/// Holds the sockets. `each_second` hears how it goes. Must run inside a `LocalSet`.
///
/// # Errors
/// The process may not have so many sockets, or not all open in time.
pub async fn hold(plan: HoldPlan, mut each_second: impl FnMut(Duration, &Fleet)) -> Result<HoldReport, LoadError> {
    let (sockets, sessions, mode) = (plan.fleet.sockets, plan.fleet.places.len(), plan.fleet.mode);
    if plan.resume && mode == Mode::Base {
        return Err(LoadError::setup("sockets of base mode cannot be resumed: use --mode extended"));
    }
    let resident = || plan.server.and_then(resident_kib);
    let own = std::process::id();
    let (before, own_before) = (resident(), resident_kib(own));
    let (cpu, started) = (plan.server.map(CpuMeter::of), Instant::now());
    let mut fleet = Fleet::launch(plan.fleet)?;
    let connected = watched(&fleet, started, plan.patience, &mut each_second).await?;
    let connect_cpu = cpu.and_then(|cpu| cpu.elapsed());
    let (cpu, held_from) = (plan.server.map(CpuMeter::of), Instant::now());
    while let Some(left) = plan.hold.checked_sub(held_from.elapsed()).filter(|left| !left.is_zero()) {
        sleep(left.min(Duration::from_secs(1))).await;
        each_second(started.elapsed(), &fleet);
    }
    let held = held_from.elapsed();
    let held_cpu = cpu.and_then(|cpu| cpu.elapsed());
    let (during, own_during) = (resident(), resident_kib(own));
    let mut resume_seconds = None;
    if plan.resume {
        fleet.sink();
        fleet.until(plan.patience, |open| open == 0).await?;
        sleep(QUIET).await;
        let dropped = Instant::now();
        fleet.relaunch();
        watched(&fleet, dropped, plan.patience, &mut each_second).await?;
        resume_seconds = Some(rounded(dropped.elapsed().as_secs_f64(), 1_000.0));
    }
    let seen = fleet.seen();
    let per_socket = |amount: f64| rounded(amount / as_f64(sockets as u64), 100.0);
    let grown = |from: Option<u64>, to: Option<u64>| Some(per_socket(as_f64(to?) - as_f64(from?)));
    Ok(HoldReport {
        command: "hold",
        sockets,
        sessions,
        connect_seconds: rounded(connected.as_secs_f64(), 1_000.0),
        connects_per_second: rounded(as_f64(sockets as u64) / connected.as_secs_f64(), 1.0),
        handshake_us: seen.handshake.clone(),
        hold_seconds: rounded(held.as_secs_f64(), 100.0),
        ends: seen.ends.iter().map(|(end, count): (&SocketEnd, &u64)| (end.name(), *count)).collect(),
        resume_seconds,
        resumed: seen.resumed,
        not_resumed: seen.not_resumed,
        events: seen.messages + seen.other_events,
        order_faults: seen.order_faults,
        server_kib_before: before,
        server_kib_held: during,
        server_kib_per_socket: grown(before, during),
        server_cpu_us_per_connect: connect_cpu.map(|cpu| per_socket(cpu.as_secs_f64() * 1e6)),
        server_cpu_while_held: held_cpu.map(|cpu| rounded(cpu.as_secs_f64() / held.as_secs_f64(), 10_000.0)),
        generator_kib_per_socket: grown(own_before, own_during),
    })
}

/// Waits until all are open, and tells how it goes meanwhile.
async fn watched(
    fleet: &Fleet,
    started: Instant,
    patience: Duration,
    each_second: &mut impl FnMut(Duration, &Fleet),
) -> Result<Duration, LoadError> {
    let opening = fleet.until_open(patience);
    tokio::pin!(opening);
    loop {
        tokio::select! {
            biased;
            opened = &mut opening => return opened.map(|_| started.elapsed()),
            () = sleep(Duration::from_secs(1)) => each_second(started.elapsed(), fleet),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn as_f64(number: u64) -> f64 {
    number as f64
}

fn rounded(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}
