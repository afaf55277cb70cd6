//! A run for correctness: writers and readers at the same time, then the final state, and all of it as a history.

mod final_state;
mod people;
mod reader;
mod run;
mod writer;

use std::time::Duration;

use crate::http::Target;
use crate::net::Targets;
use crate::socket::Mode;
use crate::token::Tokens;

pub use reader::Delivery;
pub use run::{CheckRun, run};

/// What a run does.
#[derive(Clone, Debug)]
pub struct CheckPlan {
    /// The service: where sessions are opened, and the final state is read.
    pub target: Target,
    /// Where writers send. They begin at the nodes in turn, and go on to the next one after a request without an answer.
    pub write_to: Targets,
    /// Where readers have their sockets, in the same way.
    pub read_from: Targets,
    /// The readers' protocol.
    pub mode: Mode,
    /// In whose names. Signed ones take both sides of a session; a given one is everybody.
    pub tokens: Tokens,
    /// Sessions to open.
    pub sessions: usize,
    /// Writers, spread over the sessions.
    pub writers: usize,
    /// Readers of each session.
    pub readers: usize,
    /// How long writers begin new messages, if no driver decides.
    pub duration: Duration,
    /// How long a request may take.
    pub timeout: Duration,
    /// After the writers' time: how long undecided messages are retried, and how long readers wait for the next event on
    /// their way to the last one.
    pub settle: Duration,
    /// Each writer sends every so many-th message again after it was acknowledged, with the same key.
    pub repeat_every: u64,
    /// Characters of a message, at least; its key is part of it.
    pub length: usize,
    /// What makes names and keys of this run unlike those of any other.
    pub name: String,
}
