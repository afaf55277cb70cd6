//! A run for correctness: writers and readers at the same time, then the final state, and all of it as a history.

mod changes;
mod clock;
mod final_state;
mod inbox;
mod people;
mod reader;
mod run;
mod writer;

use std::time::Duration;

use clap::Args;

pub(crate) use run::{CheckRun, run};

use crate::http::Target;
use crate::socket::ClientSocketMode;
use crate::token::Tokens;
use crate::units;

/// What a run does.
#[derive(Clone, Debug, Args)]
pub struct CheckOptions {
    /// The service's base URL: where sessions are opened, and the final state is read.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080", value_parser = Target::parse)]
    pub url: Target,
    /// A node of the service that readers have sockets at, instead of --url; may be given several times.
    #[arg(long, value_name = "URL", value_parser = Target::parse)]
    pub read_url: Vec<Target>,
    /// A node of the service that writers send to, instead of --url; may be given several times.
    #[arg(long, value_name = "URL", value_parser = Target::parse)]
    pub write_url: Vec<Target>,
    /// The readers' protocol.
    #[arg(long, value_enum, default_value = "base")]
    pub mode: ClientSocketMode,
    /// Sessions to open.
    #[arg(long, value_name = "NUMBER", default_value = "8", value_parser = units::count)]
    pub sessions: usize,
    /// Writers, spread over the sessions; the customer and the agent of a session in turn.
    #[arg(long, value_name = "NUMBER", default_value = "16", value_parser = units::count)]
    pub writers: usize,
    /// Readers of each session: the customer, the agent, and admins.
    #[arg(long, value_name = "NUMBER", default_value = "3", value_parser = units::count)]
    pub readers: usize,
    /// Inboxes that are kept open meanwhile, over /ws/chat: of an agent, an admin and a customer in turn, while sessions
    /// are opened, assigned, handed back and closed. Needs a secret.
    #[arg(long, value_name = "NUMBER", default_value = "0")]
    pub inboxes: usize,
    /// How long writers begin new messages. With faults, at least until the last one is over.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = units::duration)]
    pub duration: Duration,
    /// How long a request may take before it is retried.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = units::duration)]
    pub timeout: Duration,
    /// How long, in the end, undecided messages are retried, and readers wait for the next event on their way to the
    /// last one; a reader that is slow but gets on is waited for.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = units::duration)]
    pub settle: Duration,
    /// Every so many-th message is sent again after its response, with the same key.
    #[arg(long, value_name = "NUMBER", default_value = "10", value_parser = units::requests)]
    pub repeat_every: u64,
    /// Characters of a message, at least; its key is part of it.
    #[arg(long, value_name = "NUMBER", default_value = "100", value_parser = units::length)]
    pub length: usize,
}

/// The options with what the command line does not have.
#[derive(Clone, Debug)]
pub(crate) struct CheckPlan {
    pub(crate) options: CheckOptions,
    /// In whose names. Signed ones take both sides of a session; a given one is all people.
    pub(crate) tokens: Tokens,
    /// What makes names and keys of this run unlike those of any other.
    pub(crate) run_name: String,
}

/// The node for a turn: of those that were named, or the service itself.
fn node<'a>(named: &'a [Target], service: &'a Target, turn: usize) -> &'a Target {
    named.get(turn % named.len().max(1)).unwrap_or(service)
}
