//! What a run does.

use std::sync::Arc;
use std::time::Duration;

use crate::http::{Target, Template};

/// When a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// After this time, the warm-up excluded.
    After(Duration),
    /// After this many requests, the warm-up excluded.
    Requests(u64),
}

/// What is sent. Connections go through the sessions in turn, each from another one on.
#[derive(Clone, Debug)]
pub struct Work {
    /// One template for each person, of whom a session has the one at its place modulo their number.
    pub templates: Vec<Template>,
    /// For `{session}`; one empty text when no template names a session.
    pub sessions: Vec<String>,
    /// For `{before}`, a message of the session at the same place; may be empty when no template names one.
    pub before: Vec<String>,
    /// `{page}` goes from 1 to this.
    pub pages: u64,
}

/// A run of load.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The subcommand, for the report.
    pub command: &'static str,
    /// The service.
    pub target: Target,
    /// What is sent.
    pub work: Arc<Work>,
    /// Connections at the same time, at least one for each thread.
    pub connections: usize,
    /// Threads, each with its share of the connections.
    pub threads: usize,
    /// Not measured, at the start.
    pub warmup: Duration,
    /// The end.
    pub stop: Stop,
    /// Requests per second of an open loop; `None` for a closed one.
    pub rate: Option<f64>,
    /// How long an answer may take.
    pub timeout: Duration,
    /// The service's process, when it is on this machine and its processor time is wanted.
    pub server: Option<u32>,
    /// Whether a line is written to standard error each second.
    pub progress: bool,
}
