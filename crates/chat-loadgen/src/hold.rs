//! Holding sockets: how fast they open and resume, what one costs the service, how many messages they receive, how long
//! after sending, and whether in one order. Or sockets that never read: what the service holds for them, and how soon
//! it closes them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;
use tokio::time::sleep;

use crate::api_client::ApiClient;
use crate::error::LoadError;
use crate::fleet::{Fleet, FleetPlan, Reading};
use crate::measure::{CpuMeter, LatencySummary, MemoryMeter, as_f64, close_reasons, resident_kib, rounded};
use crate::socket::{ClientSocketMode, path};
use crate::units;

/// How long a service may take to notice that all sockets are gone, before they come again.
const DROPPED_FOR: Duration = Duration::from_millis(500);
/// The longest message there may be: so many characters of four bytes each.
const LONGEST_MESSAGE: (&str, usize) = ("🙂", 10_000);

/// How sockets are held.
#[derive(Clone, Debug, Args)]
pub struct HoldOptions {
    /// How long, once all are open or `--patience` is over.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = units::duration)]
    pub duration: Duration,
    /// Drops all of them at once in the end, and resumes them. Needs extended mode.
    #[arg(long)]
    pub resume: bool,
    /// How long opening all of them may take.
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = units::duration)]
    pub patience: Duration,
    /// The service's process on this machine, to report its memory and processor time.
    #[arg(long, value_name = "PID")]
    pub server_pid: Option<u32>,
}

/// What the sockets received and cost.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "docs/loadgen.md explains every field, and a test compares the names")]
pub struct HoldReport {
    pub command: &'static str,
    pub sockets: usize,
    pub sessions: usize,
    pub subscriptions: usize,
    pub connect_seconds: Option<f64>,
    pub connects_per_second: Option<f64>,
    pub handshake_us: Option<LatencySummary>,
    pub hold_seconds: f64,
    pub opened: u64,
    pub open: usize,
    pub all_broken_after_seconds: Option<f64>,
    pub close_reasons: BTreeMap<String, u64>,
    pub messages: u64,
    pub other_events: u64,
    pub repeated: u64,
    pub messages_per_second: f64,
    pub delivery_us: Option<LatencySummary>,
    pub replayed_us: Option<LatencySummary>,
    pub inbox_updates: u64,
    pub inbox_us: Option<LatencySummary>,
    pub resume_seconds: Option<f64>,
    pub resumed: u64,
    pub not_resumed: BTreeMap<String, u64>,
    pub resumption_us: Option<LatencySummary>,
    pub order_faults: u64,
    pub first_faults: Vec<String>,
    pub server_kib_before: Option<u64>,
    pub server_kib_held: Option<u64>,
    pub server_kib_peak: Option<u64>,
    pub server_kib_per_socket: Option<f64>,
    pub server_cpu_us_per_connect: Option<f64>,
    pub server_cpu_while_held: Option<f64>,
    pub generator_kib_per_socket: Option<f64>,
}

/// Opens the sockets, holds them, and resumes them if that is wanted. `each_second` gets a line about them. Must run
/// inside a `LocalSet`.
///
/// # Errors
/// The process may not have so many sockets, or those that were dropped are not all open again in time. What goes wrong
/// with a socket otherwise is counted.
pub async fn hold(
    plan: FleetPlan,
    options: &HoldOptions,
    mut each_second: impl FnMut(Duration, String),
) -> Result<HoldReport, LoadError> {
    let (sockets, stalls) = (plan.sockets, plan.reading == Reading::Nothing);
    let (sessions, subscriptions) = plan.sessions_and_subscriptions();
    if options.resume && (plan.mode == ClientSocketMode::Base || stalls) {
        return Err(LoadError::setup(
            "only sockets that read can be resumed, and not in base mode: use --mode extended",
        ));
    }
    let own = std::process::id();
    let (mut memory, own_before) = (MemoryMeter::of(options.server_pid), resident_kib(own));
    let cpu_meter = || options.server_pid.map(CpuMeter::of);
    let (cpu, started) = (cpu_meter(), Instant::now());
    let mut fleet = Fleet::launch(plan)?;
    let mut last_messages = 0;
    let mut line = |fleet: &Fleet| {
        let new = fleet.messages().saturating_sub(last_messages);
        last_messages = fleet.messages();
        each_second(started.elapsed(), format!("{:>7} open {new:>10} messages", fleet.open()));
    };
    let connected = until_open(&fleet, options.patience, &mut line).await.is_ok().then(|| started.elapsed());
    let connect_cpu = cpu.and_then(|cpu| cpu.elapsed()).filter(|_| connected.is_some());

    let (cpu, held_from) = (cpu_meter(), Instant::now());
    let (mut all_broken_after, mut line_at) = (None, Duration::from_secs(1));
    while let Some(left) = options.duration.checked_sub(held_from.elapsed()).filter(|left| !left.is_zero()) {
        sleep(left.min(MemoryMeter::EVERY)).await;
        memory.sample();
        if held_from.elapsed() >= line_at {
            line_at += Duration::from_secs(1);
            line(&fleet);
        }
        if stalls && fleet.open() == 0 {
            all_broken_after = Some(rounded(held_from.elapsed().as_secs_f64()));
            break;
        }
    }
    let (held, held_cpu) = (held_from.elapsed(), cpu.and_then(|cpu| cpu.elapsed()));
    let (server_held, own_held, open) = (memory.sample(), resident_kib(own), fleet.open());

    let mut resume_seconds = None;
    if options.resume {
        resume_seconds = Some(thousandths(resume(&mut fleet, options.patience, &mut line).await?));
    }
    let summary = fleet.summary();
    let per_socket = |amount: f64| rounded(amount / as_f64(sockets as u64));
    let grown = |from: Option<u64>, to: Option<u64>| Some(per_socket(as_f64(to?) - as_f64(from?)));
    Ok(HoldReport {
        command: "hold",
        sockets,
        sessions,
        subscriptions,
        connect_seconds: connected.map(thousandths),
        connects_per_second: connected.map(|time| (as_f64(sockets as u64) / time.as_secs_f64()).round()),
        handshake_us: summary.handshake,
        hold_seconds: rounded(held.as_secs_f64()),
        opened: summary.opened,
        open,
        all_broken_after_seconds: all_broken_after,
        close_reasons: close_reasons(&summary.closed),
        messages: summary.messages,
        other_events: summary.other_events,
        repeated: summary.repeated,
        messages_per_second: rounded(as_f64(summary.messages) / started.elapsed().as_secs_f64()),
        delivery_us: summary.delivery,
        replayed_us: summary.replayed,
        inbox_updates: summary.inbox_updates,
        inbox_us: summary.inbox,
        resume_seconds,
        resumed: summary.resumed,
        not_resumed: summary.not_resumed,
        resumption_us: summary.resumption,
        order_faults: summary.order_faults,
        first_faults: summary.first_faults,
        server_kib_before: memory.before,
        server_kib_held: server_held,
        server_kib_peak: memory.peak,
        server_kib_per_socket: grown(memory.before, server_held),
        server_cpu_us_per_connect: connect_cpu.map(|cpu| per_socket(cpu.as_secs_f64() * 1e6)),
        server_cpu_while_held: held_cpu.map(|cpu| rounded(cpu.as_secs_f64() / held.as_secs_f64() * 100.0) / 100.0),
        generator_kib_per_socket: grown(own_before, own_held),
    })
}

/// Waits until all are open, with a line each second.
async fn until_open(fleet: &Fleet, patience: Duration, line: &mut impl FnMut(&Fleet)) -> Result<(), LoadError> {
    let opening = fleet.until_open(patience);
    tokio::pin!(opening);
    loop {
        tokio::select! {
            biased;
            opened = &mut opening => return opened,
            () = sleep(Duration::from_secs(1)) => line(fleet),
        }
    }
}

/// Drops all sockets at once, and returns how long all of them took to resume.
async fn resume(fleet: &mut Fleet, patience: Duration, line: &mut impl FnMut(&Fleet)) -> Result<Duration, LoadError> {
    fleet.drop_all();
    fleet.until(patience, |open| open == 0).await?;
    sleep(DROPPED_FOR).await;
    let dropped = Instant::now();
    fleet.open_all();
    until_open(fleet, patience, line).await?;
    Ok(dropped.elapsed())
}

/// Opens sessions with so many of the longest messages each, 40 KB, and returns the paths of sockets that ask for all
/// of them.
///
/// # Errors
/// The service refuses.
pub async fn long_sessions(client: &mut ApiClient, sessions: usize, messages: usize) -> Result<Vec<String>, LoadError> {
    let message = LONGEST_MESSAGE.0.repeat(LONGEST_MESSAGE.1);
    let mut paths = Vec::with_capacity(sessions);
    for _ in 0..sessions {
        let session = client.open_session().await?;
        for _ in 0..messages {
            client.send_message(&session, &message).await?;
        }
        paths.push(path(&session, "since=0"));
    }
    Ok(paths)
}

fn thousandths(time: Duration) -> f64 {
    (time.as_secs_f64() * 1_000.0).round() / 1_000.0
}
