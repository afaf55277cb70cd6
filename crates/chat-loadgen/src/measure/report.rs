//! Figures at the end of a run, as JSON for programs and as the same in lines for people. `docs/loadgen.md` lists the
//! names.

use std::collections::BTreeMap;
use std::io::{self, Write};

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::error::LoadError;
use crate::socket::ClientCloseReason;

/// A distribution of times in microseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names are those of statistics, and `p999` is what 999 of 1,000 do not exceed")]
pub struct LatencySummary {
    pub min: u64,
    pub mean: f64,
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p999: u64,
    pub max: u64,
}

impl LatencySummary {
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

/// Prints a report on standard output: one line of JSON, or a line for each figure.
pub(crate) fn print_report(report: &impl Serialize, json: bool) -> Result<(), LoadError> {
    let text = if json { serde_json::to_string(report) } else { serde_json::to_string_pretty(report) };
    let text = text.map_err(|error| LoadError::setup(format!("cannot write JSON: {error}")))?;
    let text = if json { text } else { lines(&text) };
    io::stdout().write_all((text + "\n").as_bytes()).map_err(LoadError::io("write the report"))
}

/// Indented JSON without its punctuation.
fn lines(pretty: &str) -> String {
    let unquoted = |text: &str| text.trim_matches('"').replace("\\\"", "\"");
    let bare = pretty.lines().filter_map(|line| {
        let indented = line.trim_end_matches(['{', '[', ',']).trim_end();
        let text = indented.trim_start();
        let indent = " ".repeat((indented.len() - text.len()).saturating_sub(2));
        match text.split_once("\": ") {
            _ if text.is_empty() || text == "}" || text == "]" => None,
            Some((name, value)) if !name.contains('\\') => {
                Some(format!("{indent}{:<24} {}", unquoted(name), unquoted(value)))
            }
            _ => Some(format!("{indent}{}", unquoted(text.trim_end_matches(':')))),
        }
    });
    bare.collect::<Vec<_>>().join("\n")
}

/// Why sockets ended, by name.
pub(crate) fn close_reasons(counts: &BTreeMap<ClientCloseReason, u64>) -> BTreeMap<String, u64> {
    counts.iter().map(|(reason, count)| (reason.name(), *count)).collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
pub(crate) fn as_f64(number: u64) -> f64 {
    number as f64
}

/// To a hundredth: what the measurement does not know should not be printed.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_for_people_have_every_figure_and_no_punctuation() {
        let report =
            serde_json::json!({ "a": 1, "b": { "201": 7 }, "c": ["s: \"x\": y"], "d": null, "e": {}, "f": "g" });
        let text = lines(&serde_json::to_string_pretty(&report).unwrap());
        let words: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(
            words,
            [
                vec!["a", "1"],
                vec!["b"],
                vec!["201", "7"],
                vec!["c"],
                vec!["s:", "\"x\":", "y"],
                vec!["d", "null"],
                vec!["e", "{}"],
                vec!["f", "g"]
            ]
        );
    }
}
