//! `chat-loadgen stall`

use std::time::Duration;

use clap::Args;

use super::common::{json_line, maybe, rows};
use super::crowd::Crowd;
use super::{Verdict, print};
use crate::abuse::{StallPlan, stall};
use crate::error::LoadError;
use crate::measure::listed;
use crate::setup::block_on;
use crate::socket::Mode;
use crate::units;

/// Open sockets and never read them
#[derive(Debug, Args)]
pub(super) struct Stall {
    #[command(flatten)]
    crowd: Crowd,
    /// The protocol.
    #[arg(long, value_enum, default_value = "extended")]
    mode: Mode,
    /// How long they stay, unless all connections are broken before.
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = units::duration)]
    duration: Duration,
}

impl Stall {
    pub(super) fn run(&self) -> Result<Verdict, LoadError> {
        let report = block_on(async {
            let fleet = self.crowd.fleet(self.mode).await?;
            let plan = StallPlan { fleet, duration: self.duration, patience: self.crowd.timeout() };
            stall(plan, self.crowd.progress()).await
        })?;
        let table = || {
            rows([
                ("sockets", format!("{}, {} not known to be broken", report.sockets, report.open)),
                ("all broken after", maybe(report.all_broken_after_seconds, "s")),
                ("ended", listed(report.ends.iter().map(|(end, count)| (end.as_str(), *count)))),
            ])
        };
        print(&if self.crowd.json { json_line(&report)? } else { table() })?;
        Ok(Verdict::Good)
    }
}
