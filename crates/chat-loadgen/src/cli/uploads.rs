//! `chat-loadgen uploads`

use std::time::Duration;

use clap::Args;
use tokio::time::sleep;

use super::common::{Service, check_server_pid, json_line, maybe, rows};
use super::{Verdict, note, print};
use crate::abuse::{UploadPlan, uploads};
use crate::error::LoadError;
use crate::measure::listed;
use crate::setup::{Caller, block_on};
use crate::token::Role;
use crate::units;

/// What one person may upload at the same time by default.
const UPLOADS_OF_A_PERSON: usize = 8;

/// Begin uploads and stop in the middle
#[derive(Debug, Args)]
pub(super) struct StopUploads {
    #[command(flatten)]
    service: Service,
    /// Uploads at the same time.
    #[arg(long, value_name = "NUMBER", default_value = "100", value_parser = units::count)]
    uploads: usize,
    /// People they belong to; one for each eight uploads unless it is given. More than one needs a secret.
    #[arg(long, value_name = "NUMBER", value_parser = units::count)]
    people: Option<usize>,
    /// Bytes of its file that each upload sends before it stops.
    #[arg(long, value_name = "NUMBER", default_value = "300000", value_parser = units::count)]
    bytes: usize,
    /// How long they stay. The service gives up one that sends nothing for 30 seconds.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = units::duration)]
    duration: Duration,
    /// The service's process on this machine, to report its memory.
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
    /// Print the figures as one JSON object.
    #[arg(long)]
    json: bool,
    /// No line at the beginning.
    #[arg(long)]
    quiet: bool,
}

impl StopUploads {
    pub(super) fn run(&self) -> Result<Verdict, LoadError> {
        check_server_pid(self.server_pid)?;
        if !self.quiet {
            note(&format!("{} uploads, each stops after {} bytes", self.uploads, self.bytes));
        }
        let tokens = self.service.identity.tokens()?;
        let people = self.people.unwrap_or_else(|| self.uploads.div_ceil(UPLOADS_OF_A_PERSON));
        let token_of = |person: usize| tokens.of(&format!("load-uploader-{person}"), Role::Admin);
        let people: Vec<String> = (0..people).map(token_of).collect::<Result<_, _>>()?;
        let report = block_on(async {
            let first = people.first().cloned().unwrap_or_default();
            let mut caller = Caller::new(self.service.url.clone(), first, self.service.timeout);
            let plan = UploadPlan {
                target: self.service.url.clone(),
                session: caller.open_session().await?,
                tokens: people,
                uploads: self.uploads,
                bytes: self.bytes,
                server: self.server_pid,
            };
            uploads(plan, async |_progress| sleep(self.duration).await).await
        })?;
        let table = || {
            rows([
                ("uploads", format!("{}, {} stood still to the end", report.uploads, report.stalled)),
                ("ended", listed(report.ends.iter().map(|(end, count)| (end.as_str(), *count)))),
                ("memory before", maybe(report.server_kib_before, "KiB")),
                ("memory at most", maybe(report.server_kib_peak, "KiB")),
                ("memory of one", maybe(report.server_kib_per_upload, "KiB")),
            ])
        };
        print(&if self.json { json_line(&report)? } else { table() })?;
        Ok(Verdict::Good)
    }
}
