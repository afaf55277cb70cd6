//! `chat-loadgen slow`.

use std::time::Duration;

use clap::Args;

use super::RunVerdict;
use super::options::{OutputOptions, ServiceOptions};
use crate::abuse::{SlowKind, SlowPlan, slow, store_file};
use crate::error::LoadError;
use crate::measure::print_report;
use crate::token::TokenRole;
use crate::units;

/// With a secret, so many connections belong to one person, who may have 16 unfinished requests by default.
const CONNECTIONS_OF_A_PERSON: usize = 10;

/// Make connections that send and read a little now and then, and never come to an end
#[derive(Debug, Args)]
pub(super) struct Slow {
    #[command(flatten)]
    service: ServiceOptions,
    /// Connections of each kind at the same time: a head, a second head, a body, a body in chunks, a download.
    #[arg(long, value_name = "NUMBER", default_value = "200", value_parser = units::count)]
    connections: usize,
    /// How often each sends a byte, or reads some.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = units::duration)]
    every: Duration,
    /// How long they are made.
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = units::duration)]
    duration: Duration,
    /// Bytes of the file that is downloaded.
    #[arg(long, value_name = "NUMBER", default_value = "1000000", value_parser = units::count)]
    bytes: usize,
    #[command(flatten)]
    output: OutputOptions,
}

impl Slow {
    /// Whether others were served well meanwhile is for `read` and `send` beside it to say.
    pub(super) async fn run(&self) -> Result<RunVerdict, LoadError> {
        let tokens = self.service.tokens.tokens()?;
        let people = (self.connections * SlowKind::ALL.len()).div_ceil(CONNECTIONS_OF_A_PERSON);
        let token_of = |person: usize| tokens.of(&format!("load-slow-{person}"), TokenRole::Admin);
        let token = token_of(0)?;
        let target = self.service.url.clone();
        let session = self.service.client(token.clone()).open_session().await?;
        let file = store_file(&target, &session, &token, self.bytes).await?;
        let plan = SlowPlan {
            target,
            connections: self.connections,
            every: self.every,
            duration: self.duration,
            session,
            tokens: (0..people).map(token_of).collect::<Result<_, _>>()?,
            file,
        };
        let report = slow(plan, self.output.progress()).await?;
        print_report(&report, self.output.json)?;
        Ok(RunVerdict(true))
    }
}
