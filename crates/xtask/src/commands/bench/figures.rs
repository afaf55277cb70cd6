//! What was measured, and how it is shown.

use std::fmt::Write;

/// The measured figures in order.
#[derive(Default)]
pub(super) struct Figures(Vec<(String, f64, &'static str)>);

impl Figures {
    pub(super) fn add(&mut self, name: impl Into<String>, value: f64, unit: &'static str) {
        let name = name.into();
        println!("    {name}: {}", shown(value, unit));
        self.0.push((name, value, unit));
    }

    /// A Markdown table.
    pub(super) fn table(&self) -> String {
        let mut table = String::from("| figure | median |\n|---|---|\n");
        for (name, value, unit) in &self.0 {
            let _infallible = writeln!(table, "| {name} | {} |", shown(*value, unit));
        }
        table
    }
}

fn shown(value: f64, unit: &str) -> String {
    let digits = if value >= 1_000.0 { 0 } else { 2 };
    format!("{value:.digits$} {unit}").trim_end().to_owned()
}

/// The middle value; of an even number the upper one of the two. 0 when there is none.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
