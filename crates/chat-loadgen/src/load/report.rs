//! The figures of a load. `docs/loadgen.md` lists the names.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::LoadPlan;
use crate::http::HttpFailure;
use crate::measure::{LatencySummary, RequestCounts, as_f64, rounded};

/// The figures of a load.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "docs/loadgen.md explains every field, and a test compares the names")]
pub struct LoadReport {
    pub command: &'static str,
    pub mode: &'static str,
    pub target_rate: Option<f64>,
    pub connections: usize,
    pub threads: usize,
    pub seconds: f64,
    pub requests: u64,
    pub succeeded: u64,
    pub per_second: f64,
    pub latency_us: Option<LatencySummary>,
    pub start_delay_us: Option<LatencySummary>,
    pub scheduled: Option<u64>,
    pub unsent: Option<u64>,
    pub statuses: BTreeMap<String, u64>,
    pub failures: BTreeMap<&'static str, u64>,
    pub bytes_received: u64,
    pub generator_cpu_us_per_request: Option<f64>,
    pub server_cpu_us_per_request: Option<f64>,
}

impl LoadReport {
    /// The figures of what was counted in the measured time; `cpu` is the processor time of this process and of the
    /// service in it.
    pub(crate) fn new(
        plan: &LoadPlan,
        elapsed: Duration,
        scheduled: Option<u64>,
        counts: &RequestCounts,
        cpu: (Option<Duration>, Option<Duration>),
    ) -> Self {
        let requests = counts.ended();
        let count = |failure| counts.outcomes.get(&Err(failure)).copied().unwrap_or_default();
        let statuses = counts.outcomes.iter().filter_map(|(outcome, count)| Some((outcome.ok()?.to_string(), *count)));
        let each = |time: Duration| (requests > 0).then(|| rounded(time.as_secs_f64() * 1e6 / as_f64(requests)));
        Self {
            command: plan.command,
            mode: if plan.rate.is_some() { "open" } else { "closed" },
            target_rate: plan.rate,
            connections: plan.connections,
            threads: plan.threads,
            seconds: rounded(elapsed.as_secs_f64()),
            requests,
            succeeded: counts.succeeded(),
            per_second: rounded(as_f64(counts.succeeded()) / elapsed.as_secs_f64().max(f64::EPSILON)),
            latency_us: LatencySummary::of(&counts.latency),
            start_delay_us: LatencySummary::of(&counts.start_delay),
            scheduled,
            unsent: scheduled.map(|scheduled| scheduled.saturating_sub(requests)),
            statuses: statuses.collect(),
            failures: HttpFailure::ALL.iter().map(|failure| (failure.name(), count(*failure))).collect(),
            bytes_received: counts.received,
            generator_cpu_us_per_request: cpu.0.and_then(each),
            server_cpu_us_per_request: cpu.1.and_then(each),
        }
    }
}
