//! `chat-loadgen occupy`

use std::time::Duration;

use clap::Args;

use super::common::{check_server_pid, json_line, maybe, rows};
use super::{Verdict, note, print};
use crate::abuse::{Occupation, OccupyPlan, occupy};
use crate::error::LoadError;
use crate::http::Target;
use crate::setup::block_on;
use crate::units;

/// Open connections that begin something and fall silent, and see how long the service keeps them
#[derive(Debug, Args)]
pub(super) struct Occupy {
    /// The service's base URL.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080", value_parser = Target::parse)]
    url: Target,
    /// Connections at the same time.
    #[arg(long, value_name = "NUMBER", default_value = "1100", value_parser = units::count)]
    connections: usize,
    /// What they do first.
    #[arg(long, value_enum, default_value = "chunked-body")]
    what: Occupation,
    /// How long they are left alone.
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = units::duration)]
    duration: Duration,
    /// How long /healthz may take afterwards.
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = units::duration)]
    timeout: Duration,
    /// The service's process: its descriptors are counted.
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
    /// Print the figures as one JSON object.
    #[arg(long)]
    json: bool,
    /// No line of progress each second.
    #[arg(long)]
    quiet: bool,
}

impl Occupy {
    pub(super) fn run(&self) -> Result<Verdict, LoadError> {
        check_server_pid(self.server_pid)?;
        let plan = OccupyPlan {
            target: self.url.clone(),
            connections: self.connections,
            what: self.what,
            duration: self.duration,
            patience: self.timeout,
            server: self.server_pid,
        };
        let progress = |at: Duration, open| {
            if !self.quiet {
                note(&format!("{:>6.1} s {open:>7} open", at.as_secs_f64()));
            }
        };
        let report = block_on(occupy(plan, progress))?;
        let count = |count: Option<usize>| count.map_or_else(|| "-".to_owned(), |count| count.to_string());
        let table = || {
            rows([
                ("connections", format!("{}, {} open after {:.2} s", report.connections, report.open, report.seconds)),
                (
                    "server descriptors",
                    format!(
                        "{} before, {} then",
                        count(report.server_descriptors_before),
                        count(report.server_descriptors)
                    ),
                ),
                ("/healthz after", maybe(report.health_seconds, "s")),
            ])
        };
        print(&if self.json { json_line(&report)? } else { table() })?;
        Ok(if report.health_seconds.is_some() { Verdict::Good } else { Verdict::Bad })
    }
}
