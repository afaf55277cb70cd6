//! Query strings, read strictly: a key stands once, a number is plain decimal digits.

use std::borrow::Cow;
use std::collections::HashMap;

use chat_domain::model::{PageLimit, PageNumber, StatusFilter};

use super::Problems;

/// The keys and values of a query string, and what is wrong with them.
pub(crate) struct Query<'a> {
    values: HashMap<Cow<'a, str>, Cow<'a, str>>,
    pub(crate) problems: Problems,
}

impl<'a> Query<'a> {
    pub(crate) fn parse(query: &'a str) -> Self {
        let mut values = HashMap::new();
        let mut problems = Problems::default();
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            let name = key.clone();
            if values.insert(key, value).is_some() {
                problems.add(&name, "must be given once");
            }
        }
        Self { values, problems }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(Cow::as_ref)
    }

    pub(crate) fn page(&mut self) -> PageNumber {
        let rule = "must be a whole number from 1 to 9223372036854775807";
        self.number("page", rule, PageNumber::FIRST, PageNumber::new)
    }

    pub(crate) fn limit(&mut self, default: PageLimit) -> PageLimit {
        self.number("limit", "must be a whole number from 1; more than 100 counts as 100", default, PageLimit::clamped)
    }

    pub(crate) fn status(&mut self) -> Option<StatusFilter> {
        let status = self.get("status")?;
        let known = [StatusFilter::Active, StatusFilter::Closed].into_iter().find(|known| known.as_str() == status);
        if known.is_none() {
            self.problems.add("status", "must be active or closed");
        }
        known
    }

    /// A number of at most 63 bits, which every database and most clients can hold.
    pub(crate) fn number<T>(&mut self, key: &str, rule: &str, default: T, make: impl Fn(u64) -> Option<T>) -> T {
        let Some(text) = self.get(key) else { return default };
        let digits_only = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse::<i64>().ok().filter(|_| digits_only).and_then(|number| u64::try_from(number).ok());
        if let Some(value) = number.and_then(make) {
            return value;
        }
        self.problems.add(key, rule);
        default
    }
}
