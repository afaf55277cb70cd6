//! All figures of a run, as tables for `docs/benchmarks.md` and as JSON for programs.

use std::fmt::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use std::{fs, thread};

use anyhow::Context;
use serde_json::{Value, json};

use super::figures::{Figure, Figures, Goal, shown};

/// The figures by part.
pub(super) struct Report {
    started_unix_s: u64,
    rounds: u32,
    seconds: u64,
    parts: Vec<(String, Figures)>,
}

impl Report {
    pub(super) fn new(rounds: u32, seconds: u64) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started_unix_s: now.as_secs(), rounds, seconds, parts: Vec::new() }
    }

    pub(super) fn add(&mut self, part: String, figures: Figures) {
        self.parts.push((part, figures));
    }

    /// A Markdown table of all that has a goal, then one a part of everything else.
    pub(super) fn tables(&self) -> String {
        let mut text = String::new();
        let with_goal: Vec<&Figure> = self.figures().filter(|figure| figure.goal.is_some()).collect();
        if !with_goal.is_empty() {
            text.push_str("| figure | median | goal | |\n|---|---|---|---|\n");
            for figure in with_goal {
                row_with_goal(&mut text, figure);
            }
        }
        for (part, figures) in &self.parts {
            let rest: Vec<&Figure> = figures.iter().filter(|figure| figure.goal.is_none()).collect();
            if !rest.is_empty() {
                let _infallible =
                    writeln!(text, "\n{part}\n\n| figure | median | smallest to largest |\n|---|---|---|");
                for figure in rest {
                    row(&mut text, figure);
                }
            }
        }
        text
    }

    pub(super) fn save(&self, file: &Path) -> anyhow::Result<()> {
        let mut text = serde_json::to_string_pretty(&self.json())?;
        text.push('\n');
        fs::write(file, text).with_context(|| format!("{} cannot be written", file.display()))
    }

    fn json(&self) -> Value {
        let parts: Vec<Value> = self
            .parts
            .iter()
            .map(|(part, figures)| json!({ "part": part, "figures": figures.iter().map(figure_json).collect::<Vec<_>>() }))
            .collect();
        json!({
            "startedUnixS": self.started_unix_s,
            "cores": thread::available_parallelism().map_or(0, usize::from),
            "processor": processor(),
            "rounds": self.rounds,
            "secondsPerMeasurement": self.seconds,
            "parts": parts,
        })
    }

    fn figures(&self) -> impl Iterator<Item = &Figure> {
        self.parts.iter().flat_map(|(_, figures)| figures.iter())
    }
}

fn row_with_goal(text: &mut String, figure: &Figure) {
    let median = figure.median();
    let (goal, met) = match figure.goal {
        Some(goal) => (goal.to_string(), if goal.is_met(median) { "met" } else { "**missed**" }),
        None => (String::new(), ""),
    };
    let _infallible = writeln!(text, "| {} | {} | {goal} | {met} |", figure.name, shown(median, figure.unit));
}

fn row(text: &mut String, figure: &Figure) {
    let (smallest, largest) = figure.spread();
    let spread = if figure.values.len() > 1 {
        format!("{} to {}", shown(smallest, ""), shown(largest, ""))
    } else {
        String::new()
    };
    let _infallible = writeln!(text, "| {} | {} | {spread} |", figure.name, shown(figure.median(), figure.unit));
}

fn figure_json(figure: &Figure) -> Value {
    let median = figure.median();
    let (at_least, at_most) = match figure.goal {
        Some(Goal::AtLeast(bound)) => (Some(bound), None),
        Some(Goal::AtMost(bound)) => (None, Some(bound)),
        None => (None, None),
    };
    json!({
        "name": figure.name,
        "unit": figure.unit,
        "median": median,
        "values": figure.values,
        "atLeast": at_least,
        "atMost": at_most,
        "met": figure.goal.map(|goal| goal.is_met(median)),
    })
}

/// What the kernel calls the processor; empty where it does not say.
fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = info.lines().find_map(|line| line.strip_prefix("model name"));
    line.map_or_else(String::new, |line| line.trim_start_matches([' ', '\t', ':']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut figures = Figures::default();
        for value in [4.0, 6.0, 5.0] {
            figures.record("fast", "/s", value);
        }
        figures.record("slow", "/s", 2.0);
        figures.ratio("fast", "slow", Some(Goal::AtLeast(3.0))).unwrap();
        let mut report = Report::new(3, 5);
        report.add("writes".to_owned(), figures);
        report
    }

    #[test]
    fn figures_with_a_goal_come_first() {
        let tables = report().tables();
        let lines: Vec<&str> = tables.lines().filter(|line| line.starts_with("| ")).collect();
        assert_eq!(
            lines,
            [
                "| figure | median | goal | |",
                "| fast ÷ slow | 2.50 | ≥ 3 | **missed** |",
                "| figure | median | smallest to largest |",
                "| fast | 5.00 /s | 4.00 to 6.00 |",
                "| slow | 2.00 /s |  |",
            ]
        );
    }

    #[test]
    fn the_json_has_the_values_of_all_rounds() {
        let json = report().json();
        assert_eq!(json.pointer("/parts/0/figures/0/values").unwrap(), &json!([4.0, 6.0, 5.0]));
        assert_eq!(json.pointer("/parts/0/figures/2/met").unwrap(), &json!(false));
        assert_eq!(json.pointer("/parts/0/figures/2/atLeast").unwrap(), &json!(3.0));
    }
}
