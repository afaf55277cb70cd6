//! `chat-loadgen hold`

use std::time::Duration;

use clap::Args;

use super::common::{Switch, check_server_pid, json_line, maybe, rows, short};
use super::crowd::Crowd;
use super::{Verdict, print};
use crate::error::LoadError;
use crate::hold::{HoldPlan, HoldReport, hold};
use crate::measure::listed;
use crate::setup::block_on;
use crate::socket::Mode;
use crate::units;

/// Hold idle sockets: connects per second, what one costs the service, and how fast all resume
#[derive(Debug, Args)]
pub(super) struct Hold {
    #[command(flatten)]
    crowd: Crowd,
    /// The protocol.
    #[arg(long, value_enum, default_value = "extended")]
    mode: Mode,
    /// How long they are held once all are open.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = units::duration)]
    duration: Duration,
    /// Whether they are dropped all at once in the end, and resumed. Needs extended mode.
    #[arg(long, value_name = "SWITCH", default_value = "off")]
    resume: Switch,
    /// How long opening all of them may take.
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = units::duration)]
    patience: Duration,
    /// The service's process on this machine, to report its memory and processor time per socket.
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
}

impl Hold {
    pub(super) fn run(&self) -> Result<Verdict, LoadError> {
        check_server_pid(self.server_pid)?;
        let report = block_on(async {
            let plan = HoldPlan {
                fleet: self.crowd.fleet(self.mode).await?,
                hold: self.duration,
                resume: self.resume == Switch::On,
                patience: self.patience,
                server: self.server_pid,
            };
            hold(plan, self.crowd.progress()).await
        })?;
        print(&if self.crowd.json { json_line(&report)? } else { table(&report) })?;
        Ok(if report.order_faults == 0 && report.not_resumed.is_empty() { Verdict::Good } else { Verdict::Bad })
    }
}

fn table(report: &HoldReport) -> String {
    let named = |counts: &std::collections::BTreeMap<String, u64>| {
        listed(counts.iter().map(|(name, count)| (name.as_str(), *count)))
    };
    let (seconds, rate) = (report.connect_seconds, report.connects_per_second);
    let mut table = rows([
        ("sockets", format!("{} over {} sessions, held {:.2} s", report.sockets, report.sessions, report.hold_seconds)),
        ("connecting", format!("{seconds:.3} s, {rate:.0} /s")),
        ("ended", named(&report.ends)),
        ("service, per socket", maybe(report.server_kib_per_socket, "KiB")),
        ("service, per connect", maybe(report.server_cpu_us_per_connect, "µs of processor time")),
        ("service, while held", maybe(report.server_cpu_while_held, "of a core")),
        ("generator, per socket", maybe(report.generator_kib_per_socket, "KiB")),
    ]);
    if let Some(handshake) = &report.handshake_us {
        table += &rows([("handshake", short(handshake))]);
    }
    if let Some(seconds) = report.resume_seconds {
        let not_resumed = named(&report.not_resumed);
        table += &rows([
            ("resuming", format!("{seconds:.3} s: {} resumed, not resumed {not_resumed}", report.resumed)),
            ("events", format!("{}, {} faults of order", report.events, report.order_faults)),
        ]);
    }
    table
}
