//! Sockets of one person that ask for everything they missed in sessions of the longest messages, and never read it: what
//! they cost the service's memory.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;
use tokio::time::sleep;

use crate::error::LoadError;
use crate::fleet::{Fleet, FleetPlan, Reading};
use crate::http::Target;
use crate::measure::MemoryMeter;
use crate::net::Targets;
use crate::setup::Caller;
use crate::socket::{Mode, path};

/// The longest message there may be, of characters with four bytes each.
const LONGEST: (&str, usize) = ("🙂", 10_000);

/// What to prepare and to open.
#[derive(Clone, Debug)]
pub struct CatchUpPlan {
    /// The service.
    pub target: Target,
    /// The customer who owns the sessions and opens the sockets.
    pub token: String,
    /// Sockets at the same time: at most ten a session.
    pub sockets: usize,
    /// Sessions that are opened for them.
    pub sessions: usize,
    /// Messages that each session gets first.
    pub messages: usize,
    /// The protocol.
    pub mode: Mode,
    /// How long the sockets stay.
    pub hold: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// The service's process, when it is on this machine.
    pub server: Option<u32>,
}

/// What it cost. Serialises to the documented JSON object.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CatchUpReport {
    /// `catch-up`.
    pub command: &'static str,
    /// Sockets at the same time.
    pub sockets: usize,
    /// Sessions they were spread over.
    pub sessions: usize,
    /// Messages of each session.
    pub messages: usize,
    /// Sockets whose connection is not known to be broken in the end.
    pub open: usize,
    /// Why handshakes failed and sockets ended.
    pub ends: BTreeMap<String, u64>,
    /// Resident memory of the service before the first socket; `null` when its process was not named.
    pub server_kib_before: Option<u64>,
    /// The most it was while they were there.
    pub server_kib_peak: Option<u64>,
    /// The difference.
    pub server_kib_grown: Option<u64>,
}

/// Prepares the sessions, opens the sockets and holds them. `prepared` hears of each session that is ready.
///
/// # Errors
/// The service refuses the preparation, or not all sockets open in time.
pub async fn catch_up(plan: CatchUpPlan, mut prepared: impl FnMut(usize)) -> Result<CatchUpReport, LoadError> {
    let mut caller = Caller::new(plan.target.clone(), plan.token.clone(), plan.timeout);
    let message = Value::from_iter([("content", LONGEST.0.repeat(LONGEST.1))]).to_string();
    let mut places = Vec::with_capacity(plan.sessions);
    for number in 0..plan.sessions {
        let session = caller.open_session().await?;
        for _ in 0..plan.messages {
            caller.send(&session, &message).await?;
        }
        places.push(path(&session, "since=0"));
        prepared(number + 1);
    }
    let mut memory = MemoryMeter::of(plan.server);
    let fleet = Fleet::launch(FleetPlan {
        targets: Targets::new(vec![plan.target]),
        tokens: vec![plan.token],
        places,
        sockets: plan.sockets,
        mode: plan.mode,
        reading: Reading::Nothing,
        acknowledge: false,
        reopen: false,
        at_once: plan.sockets,
        timeout: plan.timeout,
    })?;
    fleet.until_open(plan.timeout).await?;
    let started = Instant::now();
    while started.elapsed() < plan.hold {
        sleep(MemoryMeter::EVERY).await;
        memory.look();
    }
    let ends = fleet.seen().ends;
    Ok(CatchUpReport {
        command: "catch-up",
        sockets: plan.sockets,
        sessions: plan.sessions,
        messages: plan.messages,
        open: fleet.open(),
        ends: ends.iter().map(|(end, count)| (end.name(), *count)).collect(),
        server_kib_before: memory.before(),
        server_kib_peak: memory.peak(),
        server_kib_grown: memory.grown(),
    })
}
