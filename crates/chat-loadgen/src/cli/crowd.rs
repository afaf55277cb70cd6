//! Flags of the commands that hold many sockets.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::common::{Service, session_ids};
use super::note;
use crate::error::LoadError;
use crate::fleet::{Fleet, FleetPlan, Reading};
use crate::http::Target;
use crate::net::Targets;
use crate::setup::Caller;
use crate::socket::{Mode, path};
use crate::token::Role;
use crate::units;

/// The sockets of a fleet, and whose they are.
#[derive(Debug, Args)]
pub(super) struct Crowd {
    #[command(flatten)]
    service: Service,
    /// A further node of the service; may be given several times. Sockets begin at all nodes in turn.
    #[arg(long, value_name = "URL", value_parser = Target::parse)]
    node_url: Vec<Target>,
    /// Sockets at the same time, spread over the sessions.
    #[arg(long, value_name = "NUMBER", default_value = "64", value_parser = units::count)]
    pub(super) sockets: usize,
    /// How many sessions to watch: the newest that the caller may see.
    #[arg(long, value_name = "NUMBER", default_value = "64", value_parser = units::count)]
    sessions: usize,
    /// Watches these sessions instead, one id a line.
    #[arg(long, value_name = "FILE", conflicts_with = "sessions")]
    session_ids_file: Option<PathBuf>,
    /// Opens the sockets at this path instead, which need not be the service's; such as /ws of the comparison in the benchmarks.
    #[arg(long, value_name = "PATH", conflicts_with_all = ["sessions", "session_ids_file"])]
    path: Option<String>,
    /// Handshakes at the same time.
    #[arg(long, value_name = "NUMBER", default_value = "64", value_parser = units::count)]
    at_once: usize,
    /// Whose tokens are signed, when there is a secret: one for each ten sockets.
    #[arg(long, value_enum, default_value = "admin")]
    role: Role,
    /// Who they are; a number is added from the second one on.
    #[arg(long, value_name = "SUBJECT", default_value = "load-watcher")]
    sub: String,
    /// Print the figures as one JSON object.
    #[arg(long)]
    pub(super) json: bool,
    /// No line of progress each second.
    #[arg(long)]
    pub(super) quiet: bool,
}

impl Crowd {
    /// The nodes: that of --url first.
    pub(super) fn nodes(&self) -> Vec<Target> {
        std::iter::once(&self.service.url).chain(&self.node_url).cloned().collect()
    }

    pub(super) fn timeout(&self) -> Duration {
        self.service.timeout
    }

    /// A token of its own, for what is not done on sockets.
    pub(super) fn token(&self) -> Result<String, LoadError> {
        self.service.identity.tokens()?.of(&self.sub, self.role)
    }

    /// What the sockets watch.
    pub(super) async fn places(&self) -> Result<Vec<String>, LoadError> {
        if let Some(path) = &self.path {
            return Ok(vec![path.clone()]);
        }
        let sessions = if let Some(file) = &self.session_ids_file {
            session_ids(file)?
        } else {
            let mut caller = Caller::new(self.service.url.clone(), self.token()?, self.service.timeout);
            caller.list_sessions(self.sessions).await?
        };
        if sessions.is_empty() {
            return Err(LoadError::setup("there is no session to watch: open some with `chat-loadgen send`"));
        }
        Ok(sessions.iter().map(|session| path(session, "")).collect())
    }

    /// A fleet of these sockets, which are read and opened once.
    pub(super) async fn fleet(&self, mode: Mode) -> Result<FleetPlan, LoadError> {
        let tokens = if self.path.is_some() {
            vec![String::new()]
        } else {
            FleetPlan::people(&self.service.identity.tokens()?, self.role, &self.sub, self.sockets)?
        };
        Ok(FleetPlan {
            targets: Targets::new(self.nodes()),
            tokens,
            places: self.places().await?,
            sockets: self.sockets,
            mode,
            reading: Reading::Events,
            acknowledge: false,
            reopen: false,
            at_once: self.at_once,
            timeout: self.service.timeout,
        })
    }

    /// A line about a fleet, each second.
    pub(super) fn progress(&self) -> impl FnMut(Duration, &Fleet) + use<> {
        let (quiet, mut last, mut last_at) = (self.quiet, 0, Duration::ZERO);
        move |at, fleet| {
            let messages = fleet.messages();
            // It goes back when the measuring begins.
            let new = messages.checked_sub(last).unwrap_or(messages);
            #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
            let rate = new as f64 / at.saturating_sub(last_at).as_secs_f64().max(f64::EPSILON);
            (last, last_at) = (messages, at);
            if !quiet {
                note(&format!("{:>6.1} s {:>7} open {rate:>10.0} messages/s", at.as_secs_f64(), fleet.open()));
            }
        }
    }
}
