//! `chat-loadgen abort`

use clap::Args;

use super::common::{json_line, rows};
use super::crowd::Crowd;
use super::{Verdict, note, print};
use crate::abuse::{AbortPlan, Ending, Phase, abort};
use crate::error::LoadError;
use crate::measure::listed;
use crate::setup::block_on;
use crate::socket::Mode;
use crate::units;

/// Connect and go, at every point of the handshake
#[derive(Debug, Args)]
pub(super) struct Abort {
    #[command(flatten)]
    crowd: Crowd,
    /// The protocol.
    #[arg(long, value_enum, default_value = "extended")]
    mode: Mode,
    /// Connections in all; --sockets says how many at the same time.
    #[arg(long, value_name = "NUMBER", default_value = "10000", value_parser = units::count)]
    cycles: usize,
    /// How far clients come; may be given several times. Without it, every phase in turn.
    #[arg(long, value_enum)]
    phase: Vec<Phase>,
    /// How clients go.
    #[arg(long, value_enum, default_value = "both")]
    ending: Ending,
}

impl Abort {
    pub(super) fn run(&self) -> Result<Verdict, LoadError> {
        let report = block_on(async {
            let fleet = self.crowd.fleet(self.mode).await?;
            let first = || LoadError::setup("there is nothing to connect to");
            let plan = AbortPlan {
                target: fleet.targets.get(0).ok_or_else(first)?,
                path: fleet.places.into_iter().next().ok_or_else(first)?,
                token: fleet.tokens.into_iter().next().unwrap_or_default(),
                mode: self.mode,
                cycles: self.cycles,
                at_once: self.crowd.sockets,
                phases: if self.phase.is_empty() { Phase::ALL.to_vec() } else { self.phase.clone() },
                ending: self.ending,
                timeout: self.crowd.timeout(),
            };
            let quiet = self.crowd.quiet;
            let tell = |at: std::time::Duration, cycles| {
                if !quiet {
                    note(&format!("{:>6.1} s {cycles:>10} cycles", at.as_secs_f64()));
                }
            };
            abort(plan, tell).await
        })?;
        let table = || {
            let phases: Vec<String> =
                report.phases.iter().map(|(phase, count)| format!("{phase:?}: {count}")).collect();
            rows([
                ("cycles", format!("{} in {:.2} s, {:.0} /s", report.cycles, report.seconds, report.cycles_per_second)),
                ("phases", phases.join(", ")),
                ("stopped short", listed(report.stopped_short.iter().map(|(end, count)| (end.as_str(), *count)))),
            ])
        };
        print(&if self.crowd.json { json_line(&report)? } else { table() })?;
        Ok(Verdict::Good)
    }
}
