//! The figures of a run, as a table for people and as JSON for programs. The names in the JSON are stable:
//! `docs/loadgen.md` lists them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::Tally;
use crate::http::Failure;

/// What a run was, next to what it counted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figures {
    /// The subcommand.
    pub(crate) command: &'static str,
    /// Requests per second that were asked for; nothing in a closed loop.
    pub(crate) target_rate: Option<f64>,
    /// Connections at the same time.
    pub(crate) connections: usize,
    /// Threads that served them.
    pub(crate) threads: usize,
    /// The measured time, warm-up excluded.
    pub(crate) elapsed: Duration,
    /// Requests that the schedule of an open loop had in the measured time.
    pub(crate) scheduled: Option<u64>,
    /// Processor time of this process in the measured time.
    pub(crate) own_cpu: Option<Duration>,
    /// Processor time of the service in the measured time, when its process was named.
    pub(crate) server_cpu: Option<Duration>,
}

/// A distribution of times in microseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Latency {
    /// The shortest.
    pub min: u64,
    /// The arithmetic mean.
    pub mean: f64,
    /// The median.
    pub p50: u64,
    /// What nine of ten do not exceed.
    pub p90: u64,
    /// What 99 of 100 do not exceed.
    pub p99: u64,
    /// What 999 of 1,000 do not exceed.
    pub p999: u64,
    /// The longest.
    pub max: u64,
}

impl Latency {
    /// Of a histogram of microseconds; `None` when it is empty.
    pub(crate) fn of(histogram: &Histogram<u64>) -> Option<Self> {
        (!histogram.is_empty()).then(|| Self {
            min: histogram.min(),
            mean: rounded(histogram.mean()),
            p50: histogram.value_at_quantile(0.5),
            p90: histogram.value_at_quantile(0.9),
            p99: histogram.value_at_quantile(0.99),
            p999: histogram.value_at_quantile(0.999),
            max: histogram.max(),
        })
    }
}

/// All figures of a run. Serialises to the documented JSON object.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The subcommand.
    pub command: &'static str,
    /// `closed` or `open`.
    pub mode: &'static str,
    /// Requests per second that were asked for; `null` in a closed loop.
    pub target_rate: Option<f64>,
    /// Connections at the same time.
    pub connections: usize,
    /// Threads that served them.
    pub threads: usize,
    /// The measured time.
    pub seconds: f64,
    /// Requests that ended in it, answered or not.
    pub requests: u64,
    /// Those answered with 2xx.
    pub succeeded: u64,
    /// `succeeded` by `seconds`.
    pub per_second: f64,
    /// Of those answered with 2xx; `null` when there are none.
    pub latency_us: Option<Latency>,
    /// How late requests of an open loop were sent; `null` in a closed loop.
    pub start_delay_us: Option<Latency>,
    /// Requests that the schedule of an open loop had; `null` in a closed loop.
    pub scheduled: Option<u64>,
    /// Requests of the schedule that were never sent, since all connections stayed busy; `null` in a closed loop.
    pub unsent: Option<u64>,
    /// Answers by status.
    pub statuses: BTreeMap<String, u64>,
    /// Requests without an answer by kind; every kind is there.
    pub failures: BTreeMap<&'static str, u64>,
    /// Bytes of answers, heads included.
    pub bytes_received: u64,
    /// Processor time of this process per request.
    pub generator_cpu_us_per_request: Option<f64>,
    /// Processor time of the service per request; `null` when its process was not named.
    pub server_cpu_us_per_request: Option<f64>,
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn per(time: Duration, requests: u64) -> Option<f64> {
    (requests > 0).then(|| rounded(time.as_secs_f64() * 1e6 / requests as f64))
}

/// To a hundredth: what the measurement does not know should not be printed.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

impl Report {
    /// The figures of what was counted.
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    pub(crate) fn new(figures: &Figures, tally: &Tally) -> Self {
        let requests = tally.ended();
        let seconds = figures.elapsed.as_secs_f64();
        Self {
            command: figures.command,
            mode: if figures.target_rate.is_some() { "open" } else { "closed" },
            target_rate: figures.target_rate,
            connections: figures.connections,
            threads: figures.threads,
            seconds: rounded(seconds),
            requests,
            succeeded: tally.succeeded(),
            per_second: rounded(tally.succeeded() as f64 / seconds.max(f64::EPSILON)),
            latency_us: Latency::of(&tally.latency),
            start_delay_us: Latency::of(&tally.start_delay),
            scheduled: figures.scheduled,
            unsent: figures.scheduled.map(|scheduled| scheduled.saturating_sub(requests)),
            statuses: tally.statuses.iter().map(|(status, count)| (status.to_string(), *count)).collect(),
            failures: Failure::ALL.iter().map(|failure| failure.name()).zip(tally.failures).collect(),
            bytes_received: tally.received,
            generator_cpu_us_per_request: figures.own_cpu.and_then(|time| per(time, requests)),
            server_cpu_us_per_request: figures.server_cpu.and_then(|time| per(time, requests)),
        }
    }

    /// Answers by status, in words.
    pub(crate) fn answers(&self) -> String {
        listed(self.statuses.iter().map(|(status, count)| (status.as_str(), *count)))
    }

    /// Requests without an answer by kind, in words.
    pub(crate) fn unanswered(&self) -> String {
        listed(self.failures.iter().map(|(kind, count)| (*kind, *count)))
    }

    /// A table for people.
    pub fn table(&self) -> String {
        let mut table = String::new();
        let mut row = |name: &str, value: String| {
            let _infallible = writeln!(table, "{name:<22} {value}");
        };
        let rate = self.target_rate.map_or(String::new(), |rate| format!(" at {rate} requests/s"));
        row("load", format!("{} ({} loop{rate})", self.command, self.mode));
        row("connections", format!("{} on {} threads", self.connections, self.threads));
        row("measured", format!("{:.2} s", self.seconds));
        row("requests", format!("{}, {} with 2xx", self.requests, self.succeeded));
        row("rate", format!("{:.0} /s with 2xx", self.per_second));
        if let Some(latency) = &self.latency_us {
            row("latency", shown(latency));
        }
        if let Some(delay) = &self.start_delay_us {
            row("sent late by", shown(delay));
        }
        if let (Some(scheduled), Some(unsent)) = (self.scheduled, self.unsent) {
            row("schedule", format!("{scheduled} requests, {unsent} never sent"));
        }
        row("answers", self.answers());
        row("no answer", self.unanswered());
        if let Some(cpu) = self.generator_cpu_us_per_request {
            row("processor, generator", format!("{cpu:.2} µs per request"));
        }
        if let Some(cpu) = self.server_cpu_us_per_request {
            row("processor, service", format!("{cpu:.2} µs per request"));
        }
        table
    }
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of a run stay far below 2^52")]
fn shown(latency: &Latency) -> String {
    let ms = |us: u64| format!("{:.3}", us as f64 / 1_000.0);
    format!(
        "p50 {}  p90 {}  p99 {}  p99.9 {}  max {}  mean {:.3} ms",
        ms(latency.p50),
        ms(latency.p90),
        ms(latency.p99),
        ms(latency.p999),
        ms(latency.max),
        latency.mean / 1_000.0
    )
}

/// Counts in words: those above zero, or `none`.
pub(crate) fn listed<'a>(counts: impl Iterator<Item = (&'a str, u64)>) -> String {
    let shown: Vec<String> =
        counts.filter(|(_, count)| *count > 0).map(|(name, count)| format!("{name}: {count}")).collect();
    if shown.is_empty() { "none".to_owned() } else { shown.join(", ") }
}
