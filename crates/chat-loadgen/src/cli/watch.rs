//! `chat-loadgen watch`

use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::common::{Service, json_line, session_ids};
use super::{Verdict, print};
use crate::error::LoadError;
use crate::measure::listed;
use crate::setup::{Caller, block_on};
use crate::token::Role;
use crate::units;
use crate::watch::{WatchPlan, WatchReport, watch};

/// Watch sessions on sockets: counts and times messages, checks their order
#[derive(Debug, Args)]
pub(super) struct Watch {
    #[command(flatten)]
    service: Service,
    /// Sockets at the same time, spread over the sessions.
    #[arg(long, value_name = "NUMBER", default_value = "64", value_parser = units::count)]
    sockets: usize,
    /// How many sessions to watch: the newest that the caller may see.
    #[arg(long, value_name = "NUMBER", default_value = "64", value_parser = units::count)]
    sessions: usize,
    /// Watches these sessions instead, one id a line.
    #[arg(long, value_name = "FILE", conflicts_with = "sessions")]
    session_ids_file: Option<PathBuf>,
    /// How long.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = units::duration)]
    duration: Duration,
    /// Whose token is signed, when there is a secret.
    #[arg(long, value_enum, default_value = "admin")]
    role: Role,
    /// Who they are.
    #[arg(long, value_name = "SUBJECT", default_value = "load-watcher")]
    sub: String,
    /// Print the figures as one JSON object.
    #[arg(long)]
    json: bool,
    /// Changes nothing, since there is no line of progress here; taken so that the same flags do for `send`.
    #[arg(long)]
    quiet: bool,
}

impl Watch {
    pub(super) fn run(&self) -> Result<Verdict, LoadError> {
        let token = self.service.identity.tokens()?.of(&self.sub, self.role)?;
        let report = block_on(async {
            let sessions = if let Some(file) = &self.session_ids_file {
                session_ids(file)?
            } else {
                let mut caller = Caller::new(self.service.url.clone(), token.clone(), self.service.timeout);
                caller.list_sessions(self.sessions).await?
            };
            if sessions.is_empty() {
                return Err(LoadError::setup("there is no session to watch: open some with `chat-loadgen send`"));
            }
            let plan = WatchPlan {
                target: self.service.url.clone(),
                token,
                sessions,
                sockets: self.sockets,
                duration: self.duration,
                timeout: self.service.timeout,
            };
            watch(plan).await
        })?;
        print(&if self.json { json_line(&report)? } else { table(&report) })?;
        Ok(if report.order_faults == 0 { Verdict::Good } else { Verdict::Bad })
    }
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of a run stay far below 2^52")]
fn table(report: &WatchReport) -> String {
    let mut table = String::new();
    let mut row = |name: &str, value: String| {
        let _infallible = writeln!(table, "{name:<22} {value}");
    };
    row("sockets", format!("{} over {} sessions, {:.2} s", report.sockets, report.sessions, report.seconds));
    let refused = listed(report.refused.iter().map(|(status, count)| (status.as_str(), *count)));
    row("handshakes", format!("{} accepted, refused {refused}, {} lost", report.opened, report.lost));
    row("messages", format!("{}, {:.0} /s", report.messages, report.messages_per_second));
    row("other events", report.other_events.to_string());
    if let Some(delivery) = &report.delivery_us {
        let ms = |us: u64| us as f64 / 1_000.0;
        let (p50, p99, max) = (ms(delivery.p50), ms(delivery.p99), ms(delivery.max));
        row("sent to received", format!("p50 {p50:.3}  p99 {p99:.3}  max {max:.3} ms"));
    }
    row("faults of order", report.order_faults.to_string());
    for fault in &report.first_faults {
        row("", fault.clone());
    }
    table
}
