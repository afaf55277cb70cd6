//! `chat-loadgen watch`

use std::time::Duration;

use clap::Args;

use super::common::{Switch, json_line, rows, short};
use super::crowd::Crowd;
use super::{Verdict, print};
use crate::error::LoadError;
use crate::fleet::FleetPlan;
use crate::measure::listed;
use crate::setup::block_on;
use crate::socket::Mode;
use crate::units;
use crate::watch::{WatchReport, watch};

/// Watch sessions on sockets: counts and times messages, checks their order
#[derive(Debug, Args)]
pub(super) struct Watch {
    #[command(flatten)]
    crowd: Crowd,
    /// The protocol. In extended mode, a socket that is lost is resumed after the last event it got.
    #[arg(long, value_enum, default_value = "base")]
    mode: Mode,
    /// Whether sockets of extended mode acknowledge what they got, once a second at most.
    #[arg(long, value_name = "SWITCH", default_value = "on")]
    acknowledge: Switch,
    /// How long.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = units::duration)]
    duration: Duration,
}

impl Watch {
    pub(super) fn run(&self) -> Result<Verdict, LoadError> {
        let report = block_on(async {
            let fleet = self.crowd.fleet(self.mode).await?;
            let plan = FleetPlan { reopen: true, acknowledge: self.acknowledge == Switch::On, ..fleet };
            watch(plan, self.duration, self.crowd.progress()).await
        })?;
        print(&if self.crowd.json { json_line(&report)? } else { table(&report) })?;
        Ok(if report.order_faults == 0 { Verdict::Good } else { Verdict::Bad })
    }
}

fn table(report: &WatchReport) -> String {
    let named = |counts: &std::collections::BTreeMap<String, u64>| {
        listed(counts.iter().map(|(name, count)| (name.as_str(), *count)))
    };
    let (refused, closed, not_resumed) = (named(&report.refused), named(&report.closed), named(&report.not_resumed));
    let mut table = rows([
        ("sockets", format!("{} over {} sessions, {:.2} s", report.sockets, report.sessions, report.seconds)),
        ("handshakes", format!("{} accepted, refused {refused}, {} lost", report.opened, report.lost)),
        ("closed", closed),
        ("resumed", format!("{}, not resumed {not_resumed}", report.resumed)),
        ("messages", format!("{}, {:.0} /s", report.messages, report.messages_per_second)),
        ("other events", report.other_events.to_string()),
    ]);
    let times = [
        ("lost to resumed", &report.resumption_us),
        ("sent to received", &report.delivery_us),
        ("the same, replayed", &report.replayed_us),
    ];
    table += &rows(times.into_iter().filter_map(|(name, times)| Some((name, short(times.as_ref()?)))));
    table += &rows([("faults of order", report.order_faults.to_string())]);
    table + &rows(report.first_faults.iter().map(|fault| ("", fault.clone())))
}
