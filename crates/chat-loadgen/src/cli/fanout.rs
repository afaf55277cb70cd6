//! `chat-loadgen fanout`

use std::time::Duration;

use clap::Args;

use super::common::{check_server_pid, json_line, maybe, rows, run_name, short};
use super::crowd::Crowd;
use super::{Verdict, print};
use crate::error::LoadError;
use crate::fanout::{FanoutPlan, FanoutReport, Publish, fanout};
use crate::fleet::{FleetPlan, Reading};
use crate::setup::{Caller, block_on};
use crate::socket::{Mode, path};
use crate::units;

/// Publish to many sockets of one session, as fast as they receive: frames per second
#[derive(Debug, Args)]
pub(super) struct Fanout {
    #[command(flatten)]
    crowd: Crowd,
    /// The protocol.
    #[arg(long, value_enum, default_value = "extended")]
    mode: Mode,
    /// Publishes by a POST to this path instead, whose body goes to the sockets of --path as it is.
    #[arg(long, value_name = "PATH", requires = "path")]
    publish_path: Option<String>,
    /// Bytes of a frame at a socket, its head excluded.
    #[arg(long, value_name = "NUMBER", default_value = "300", value_parser = units::length)]
    frame_bytes: usize,
    /// Messages on their way: one is sent when the sockets have received all but so many of those before it.
    #[arg(long, value_name = "NUMBER", default_value = "32", value_parser = units::requests)]
    window: u64,
    /// Load before the measured part.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = units::duration_or_zero)]
    warmup: Duration,
    /// How long the measured part takes.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = units::duration)]
    duration: Duration,
    /// The service's process on this machine, to report its processor time per frame.
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
}

impl Fanout {
    pub(super) fn run(&self) -> Result<Verdict, LoadError> {
        check_server_pid(self.server_pid)?;
        let report = block_on(async { fanout(self.plan().await?, self.crowd.progress()).await })?;
        print(&if self.crowd.json { json_line(&report)? } else { table(&report) })?;
        Ok(if report.missing == 0 { Verdict::Good } else { Verdict::Bad })
    }

    async fn plan(&self) -> Result<FanoutPlan, LoadError> {
        let nodes = self.crowd.nodes();
        let target = nodes.into_iter().next().ok_or_else(|| LoadError::setup("there is no node"))?;
        let (publish, place, mode) = if let Some(path) = &self.publish_path {
            (Publish::Texts { path: path.clone() }, None, Mode::Base)
        } else {
            let token = self.crowd.token()?;
            let session = Caller::new(target.clone(), token.clone(), self.crowd.timeout()).open_session().await?;
            let place = path(&session, "");
            (Publish::Messages { session, token, name: run_name() }, Some(place), self.mode)
        };
        // The sessions that there are do not matter: this one was opened now, and is the newest.
        let fleet = self.crowd.fleet(mode).await?;
        let places = place.map_or(fleet.places, |place| vec![place]);
        Ok(FanoutPlan {
            fleet: FleetPlan { places, reading: Reading::Frames, ..fleet },
            target,
            publish,
            frame_bytes: self.frame_bytes,
            window: self.window,
            warmup: self.warmup,
            duration: self.duration,
            server: self.server_pid,
        })
    }
}

fn table(report: &FanoutReport) -> String {
    let mut table = rows([
        ("sockets", format!("{}, {} messages on their way", report.sockets, report.window)),
        ("frames", format!("{} of {} bytes in {:.2} s", report.frames, report.frame_bytes, report.seconds)),
        ("rate", format!("{:.0} frames/s", report.frames_per_second)),
        ("published", format!("{}, {} refused, {} never received", report.published, report.refused, report.missing)),
        ("processor, service", maybe(report.server_cpu_us_per_frame, "µs per frame")),
        ("processor, generator", maybe(report.generator_cpu_us_per_frame, "µs per frame")),
    ]);
    if let Some(delivery) = &report.delivery_us {
        table += &rows([("sent to received", short(delivery))]);
    }
    table
}
