//! What was measured: each figure with its value of each round, and what it should be.

use std::fmt;

use anyhow::{Context, ensure};

/// What a figure should be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    pub(super) fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bound) => value >= bound,
            Self::AtMost(bound) => value <= bound,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(bound) => write!(f, "≥ {bound}"),
            Self::AtMost(bound) => write!(f, "≤ {bound}"),
        }
    }
}

/// One figure.
#[derive(Debug)]
pub(super) struct Figure {
    /// Unique within its part.
    pub(super) name: String,
    /// Empty for a ratio.
    pub(super) unit: &'static str,
    /// A value a round; for a ratio that of the medians alone.
    pub(super) values: Vec<f64>,
    pub(super) goal: Option<Goal>,
}

impl Figure {
    /// The middle value; of an even number the mean of the two. Not a number when there is none.
    pub(super) fn median(&self) -> f64 {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        let upper = sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN);
        if sorted.len() % 2 == 1 {
            return upper;
        }
        sorted.get((sorted.len() / 2).wrapping_sub(1)).map_or(f64::NAN, |lower| f64::midpoint(*lower, upper))
    }

    /// The smallest and the largest value.
    pub(super) fn spread(&self) -> (f64, f64) {
        let fold = |start: f64, pick: fn(f64, f64) -> f64| self.values.iter().copied().fold(start, pick);
        (fold(f64::INFINITY, f64::min), fold(f64::NEG_INFINITY, f64::max))
    }
}

/// The figures of a part, in the order in which they were first recorded.
#[derive(Debug, Default)]
pub(super) struct Figures(Vec<Figure>);

impl Figures {
    /// Adds a round's value of a figure.
    pub(super) fn record(&mut self, name: impl Into<String>, unit: &'static str, value: f64) {
        let name = name.into();
        println!("    {name}: {}", shown(value, unit));
        match self.0.iter_mut().find(|figure| figure.name == name) {
            Some(figure) => figure.values.push(value),
            None => self.0.push(Figure { name, unit, values: vec![value], goal: None }),
        }
    }

    /// The median of a figure over the rounds.
    pub(super) fn median(&self, name: &str) -> anyhow::Result<f64> {
        let figure = self.0.iter().find(|figure| figure.name == name);
        Ok(figure.with_context(|| format!("no figure {name:?}"))?.median())
    }

    /// Adds the ratio of the medians of two figures.
    pub(super) fn ratio(&mut self, over: &str, under: &str, goal: Option<Goal>) -> anyhow::Result<()> {
        let (value, divisor) = (self.median(over)?, self.median(under)?);
        ensure!(divisor > 0.0, "nothing can be divided by {under:?}, which is {divisor}");
        self.add(format!("{over} ÷ {under}"), "", value / divisor, goal);
        Ok(())
    }

    /// Gives a figure that was recorded a goal.
    pub(super) fn aim(&mut self, name: &str, goal: Goal) {
        if let Some(figure) = self.0.iter_mut().find(|figure| figure.name == name) {
            figure.goal = Some(goal);
        }
    }

    /// Adds a figure that follows from others.
    pub(super) fn add(&mut self, name: String, unit: &'static str, value: f64, goal: Option<Goal>) {
        self.0.push(Figure { name, unit, values: vec![value], goal });
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Figure> {
        self.0.iter()
    }
}

/// A value with three significant digits or more, and its unit.
pub(super) fn shown(value: f64, unit: &str) -> String {
    let digits = match value.abs() {
        large if large >= 100.0 => 0,
        medium if medium >= 10.0 => 1,
        small if small >= 0.1 => 2,
        _ => 3,
    };
    format!("{value:.digits$} {unit}").trim_end().to_owned()
}

/// `1 client`, `8 clients`.
pub(super) fn counted(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(values: &[(&str, f64)]) -> Figures {
        let mut figures = Figures::default();
        for (name, value) in values {
            figures.record(*name, "/s", *value);
        }
        figures
    }

    #[test]
    fn a_median_does_not_depend_on_the_order_of_the_rounds() {
        let figures = figures(&[("a", 9.0), ("b", 4.0), ("a", 1.0), ("b", 2.0), ("a", 5.0)]);
        assert_eq!((figures.median("a").unwrap(), figures.median("b").unwrap()), (5.0, 3.0));
        assert_eq!(figures.iter().next().unwrap().spread(), (1.0, 9.0));
        assert!(figures.median("c").is_err());
    }

    #[test]
    fn a_ratio_is_that_of_the_medians_and_knows_its_goal() {
        let mut figures = figures(&[("a", 10.0), ("b", 4.0), ("none", 0.0)]);
        figures.ratio("a", "b", Some(Goal::AtLeast(2.5))).unwrap();
        let ratio = figures.iter().last().unwrap();
        assert_eq!((ratio.name.as_str(), ratio.median()), ("a ÷ b", 2.5));
        assert!(ratio.goal.unwrap().is_met(2.5) && !Goal::AtMost(2.4).is_met(2.5));
        assert!(figures.ratio("a", "none", None).is_err());
    }

    #[test]
    fn values_are_shown_with_three_digits_that_count() {
        for (value, unit, wanted) in
            [(12_345.6, "/s", "12346 /s"), (45.67, "MiB", "45.7 MiB"), (0.4567, "", "0.46"), (0.0123, "ms", "0.012 ms")]
        {
            assert_eq!(shown(value, unit), wanted);
        }
    }
}
