//! An option that cannot be used.

use std::error::Error;
use std::fmt;

/// An option that cannot be used, with what is wrong and a valid value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConfigError {
    option: &'static str,
    problem: String,
}

impl ConfigError {
    /// The option by its field's name; `problem` continues the option's name and ends with a valid value.
    pub(crate) fn new(option: &'static str, problem: impl Into<String>) -> Self {
        Self { option, problem: problem.into() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { option, problem } = self;
        write!(f, "--{} (CHAT_{}): {problem}", option.replace('_', "-"), option.to_uppercase())
    }
}

impl Error for ConfigError {}
