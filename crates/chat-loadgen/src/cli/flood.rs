//! `chat-loadgen flood`

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::common::{json_line, rows};
use super::crowd::Crowd;
use super::{Verdict, print};
use crate::abuse::{Flood, FloodPlan, flood};
use crate::error::LoadError;
use crate::measure::listed;
use crate::setup::block_on;
use crate::socket::Mode;
use crate::units;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// A frame whose header claims 2^40 bytes, and bytes as long as they are taken.
    Claim,
    /// A message of a million empty fragments.
    Fragments,
    /// A million empty pings.
    Pings,
    /// A million small texts.
    Texts,
}

/// Send what no service may take
#[derive(Debug, Args)]
pub(super) struct FloodSockets {
    #[command(flatten)]
    crowd: Crowd,
    /// The protocol.
    #[arg(long, value_enum, default_value = "extended")]
    mode: Mode,
    /// What each socket sends.
    #[arg(long, value_enum, default_value = "claim")]
    what: What,
    /// How long a socket may take from the handshake to its end.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = units::duration)]
    duration: Duration,
}

impl FloodSockets {
    /// A socket that is still open in the end makes it [`Verdict::Bad`].
    pub(super) fn run(&self) -> Result<Verdict, LoadError> {
        const FRAMES: u64 = 1_000_000;
        let report = block_on(async {
            let fleet = self.crowd.fleet(self.mode).await?;
            let first = || LoadError::setup("there is nothing to connect to");
            let plan = FloodPlan {
                target: fleet.targets.get(0).ok_or_else(first)?,
                path: fleet.places.into_iter().next().ok_or_else(first)?,
                tokens: fleet.tokens,
                mode: self.mode,
                flood: match self.what {
                    What::Claim => Flood::Claim(1 << 40),
                    What::Fragments => Flood::EmptyFragments(FRAMES),
                    What::Pings => Flood::Pings(FRAMES),
                    What::Texts => Flood::Texts(FRAMES),
                },
                sockets: self.crowd.sockets,
                timeout: self.duration,
            };
            flood(plan).await
        })?;
        let table = || {
            rows([
                ("sockets", format!("{} in {:.2} s", report.sockets, report.seconds)),
                ("ended", listed(report.ends.iter().map(|(end, count)| (end.as_str(), *count)))),
                ("sent", format!("{} bytes, {} at most by one", report.bytes_sent, report.most_bytes_sent)),
            ])
        };
        print(&if self.crowd.json { json_line(&report)? } else { table() })?;
        Ok(if report.ends.contains_key("survived") { Verdict::Bad } else { Verdict::Good })
    }
}
