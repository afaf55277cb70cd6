//! The reference document of the metrics, made from their list.

use std::fmt::Write as _;

use super::metrics::{GROUPS, Metric, MetricKind};

const INTRODUCTION: &str = "\
# Metrics

<!-- Generated from crates/chat-server/src/telemetry/metrics.rs by `cargo xtask docs`. Do not edit. -->

Served in Prometheus' text format under `/metrics` on the admin address (`CHAT_ADMIN_LISTEN`), and nowhere else. Each
server process counts for itself, from zero at its start. A label `store` is `sqlite` or `postgres`.
[Operations](../operations.md#metrics) says what to watch.
";

/// The document in Markdown.
pub(crate) fn render() -> String {
    let mut page = INTRODUCTION.to_owned();
    for group in GROUPS {
        let _infallible =
            write!(page, "\n## {}\n\n| metric | kind | labels | meaning |\n|---|---|---|---|\n", group.title);
        for metric in group.metrics {
            let _infallible = writeln!(page, "{}", row(metric));
        }
    }
    page
}

fn row(Metric { name, kind, labels, meaning }: &Metric) -> String {
    let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
    format!("| `{name}` | {} | {} | {meaning} |", kind_in_words(*kind), labels.join(", "))
}

fn kind_in_words(kind: MetricKind) -> String {
    match kind {
        MetricKind::Counter => "counter".to_owned(),
        MetricKind::Gauge => "gauge".to_owned(),
        MetricKind::Histogram(bounds) => {
            let bounds: Vec<String> = bounds.iter().map(ToString::to_string).collect();
            format!("histogram: {}", bounds.join(", "))
        }
    }
}
