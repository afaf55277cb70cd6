//! What a server tells about itself on its admin address.

use reqwest::StatusCode;

use super::TestServer;

/// One look at all metrics.
pub(crate) struct Scrape(pub(crate) String);

impl Scrape {
    pub(crate) async fn of(server: &TestServer) -> Self {
        let answer = reqwest::get(server.admin_url("/metrics")).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        Self(answer.text().await.unwrap())
    }

    /// The value of a metric with exactly these labels, in the order in which they are rendered.
    pub(crate) fn value(&self, series: &str) -> &str {
        let value = self.0.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {series} in\n{}", self.0))
    }

    pub(crate) fn number(&self, series: &str) -> f64 {
        self.value(series).parse().unwrap()
    }

    /// The sum over all labels of a metric that counts.
    pub(crate) fn sum(&self, name: &str) -> u64 {
        let of = |line: &str| {
            let rest = line.strip_prefix(name).filter(|rest| rest.starts_with([' ', '{']))?;
            Some(rest.rsplit(' ').next()?.parse::<u64>().expect("a whole number"))
        };
        let values: Vec<u64> = self.0.lines().filter_map(of).collect();
        assert!(!values.is_empty(), "no {name} in\n{}", self.0);
        values.iter().sum()
    }
}
