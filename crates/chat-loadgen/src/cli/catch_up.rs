//! `chat-loadgen catch-up`

use std::time::Duration;

use clap::Args;

use super::common::{Service, check_server_pid, json_line, maybe, rows};
use super::{Verdict, note, print};
use crate::abuse::{CatchUpPlan, catch_up};
use crate::error::LoadError;
use crate::measure::listed;
use crate::setup::block_on;
use crate::socket::Mode;
use crate::token::Role;
use crate::units;

/// Open sockets of one person that catch up on sessions of the longest messages, and never read them
#[derive(Debug, Args)]
pub(super) struct CatchUp {
    #[command(flatten)]
    service: Service,
    /// Sockets at the same time; one person may have 50, and 10 in a session.
    #[arg(long, value_name = "NUMBER", default_value = "50", value_parser = units::count)]
    sockets: usize,
    /// Sessions that are opened for them.
    #[arg(long, value_name = "NUMBER", default_value = "50", value_parser = units::count)]
    sessions: usize,
    /// Messages of 10,000 emoji that each session gets first.
    #[arg(long, value_name = "NUMBER", default_value = "100", value_parser = units::count)]
    messages: usize,
    /// The protocol.
    #[arg(long, value_enum, default_value = "extended")]
    mode: Mode,
    /// How long the sockets stay. The service gives up one that takes nothing for 20 seconds.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = units::duration)]
    duration: Duration,
    /// The service's process on this machine, to report its memory.
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
    /// Print the figures as one JSON object.
    #[arg(long)]
    json: bool,
    /// No line for each session that is ready.
    #[arg(long)]
    quiet: bool,
}

impl CatchUp {
    pub(super) fn run(&self) -> Result<Verdict, LoadError> {
        check_server_pid(self.server_pid)?;
        let plan = CatchUpPlan {
            target: self.service.url.clone(),
            token: self.service.identity.tokens()?.of("load-catch-up", Role::User)?,
            sockets: self.sockets,
            sessions: self.sessions,
            messages: self.messages,
            mode: self.mode,
            hold: self.duration,
            timeout: self.service.timeout,
            server: self.server_pid,
        };
        let prepared = |count: usize| {
            if !self.quiet {
                note(&format!("{count} of {} sessions are ready", self.sessions));
            }
        };
        let report = block_on(catch_up(plan, prepared))?;
        let table = || {
            rows([
                ("sockets", format!("{}, {} not known to be broken", report.sockets, report.open)),
                ("sessions", format!("{} of {} messages each", report.sessions, report.messages)),
                ("ended", listed(report.ends.iter().map(|(end, count)| (end.as_str(), *count)))),
                ("memory before", maybe(report.server_kib_before, "KiB")),
                ("memory at most", maybe(report.server_kib_peak, "KiB")),
                ("grown by", maybe(report.server_kib_grown, "KiB")),
            ])
        };
        print(&if self.json { json_line(&report)? } else { table() })?;
        Ok(Verdict::Good)
    }
}
