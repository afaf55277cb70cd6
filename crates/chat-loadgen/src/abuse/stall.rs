//! Sockets that are opened and never read.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::time::sleep;

use crate::error::LoadError;
use crate::fleet::{Fleet, FleetPlan, Reading};

/// Peers that stall.
#[derive(Clone, Debug)]
pub struct StallPlan {
    /// The sockets; what becomes of what arrives is left to this module.
    pub fleet: FleetPlan,
    /// How long they stay once all are open.
    pub duration: Duration,
    /// How long opening all of them may take.
    pub patience: Duration,
}

/// What became of them. Serialises to the documented JSON object.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StallReport {
    /// `stall`.
    pub command: &'static str,
    /// Sockets at the same time.
    pub sockets: usize,
    /// How long they stayed.
    pub seconds: f64,
    /// Sockets whose connection is not known to be broken in the end. A peer that does not read learns of its end only by a
    /// reset, so the service knows better.
    pub open: usize,
    /// From the last handshake until the last socket was broken, when all were.
    pub all_broken_after_seconds: Option<f64>,
    /// Why handshakes failed and sockets ended.
    pub ends: BTreeMap<String, u64>,
}

/// Stalls until the time is over or all connections are broken. `each_second` hears how it goes.
///
/// # Errors
/// Not all sockets open in time.
pub async fn stall(plan: StallPlan, mut each_second: impl FnMut(Duration, &Fleet)) -> Result<StallReport, LoadError> {
    let sockets = plan.fleet.sockets;
    let fleet = Fleet::launch(FleetPlan { reading: Reading::Nothing, reopen: false, ..plan.fleet })?;
    fleet.until_open(plan.patience).await?;
    let started = Instant::now();
    let mut all_broken_after_seconds = None;
    while let Some(left) = plan.duration.checked_sub(started.elapsed()).filter(|left| !left.is_zero()) {
        if fleet.open() == 0 {
            all_broken_after_seconds = Some((started.elapsed().as_secs_f64() * 100.0).round() / 100.0);
            break;
        }
        sleep(left.min(Duration::from_secs(1))).await;
        each_second(started.elapsed(), &fleet);
    }
    let seen = fleet.seen();
    Ok(StallReport {
        command: "stall",
        sockets,
        seconds: (started.elapsed().as_secs_f64() * 100.0).round() / 100.0,
        open: fleet.open(),
        all_broken_after_seconds,
        ends: seen.ends.iter().map(|(end, count)| (end.name(), *count)).collect(),
    })
}
