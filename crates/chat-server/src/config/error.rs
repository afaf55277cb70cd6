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

    /// What an operator sets the option by: its flag and its variable.
    pub(crate) fn name_of(option: &str) -> String {
        format!("--{} (CHAT_{})", option.replace('_', "-"), option.to_uppercase())
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { option, problem } = self;
        write!(f, "{}: {problem}", Self::name_of(option))
    }
}

impl Error for ConfigError {}
