//! Collects what is wrong with a request, so that the caller learns all of it at once.

use chat_domain::error::{FieldError, Input, Invalid, Violation};

/// The rules that were broken so far.
#[derive(Default)]
pub(crate) struct Problems(Vec<FieldError>);

impl Problems {
    /// The value, or `None` after noting the rule that `field` breaks.
    pub(crate) fn check<T>(&mut self, field: &str, value: Result<T, Violation>) -> Option<T> {
        value.map_err(|rule| self.0.extend(rule.of(field).fields)).ok()
    }

    /// Notes a broken rule.
    pub(crate) fn add(&mut self, field: &str, rule: &str) {
        self.0.extend(Violation::new(rule).of(field).fields);
    }

    /// The value when no rule was broken.
    pub(crate) fn or<T>(self, value: T) -> Input<T> {
        if self.0.is_empty() { Ok(value) } else { Err(Invalid { fields: self.0 }) }
    }
}
