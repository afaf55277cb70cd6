//! The options about the sessions that customers open.

use std::fmt;

use chat_domain::service::Rules;
use clap::{Args, ValueEnum};

use super::values;

/// What customers may do when they open sessions.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct CustomerOptions {
    /// The sessions that a customer may have open at the same time, on all servers together; `off` for any number. A
    /// further one is answered with 429 until one is closed. An admin may open more for them.
    #[arg(long, env = "CHAT_MAX_OPEN_SESSIONS", value_name = "NUMBER")]
    #[arg(default_value = Rules::MAX_OPEN_SESSIONS.to_string())]
    #[arg(value_parser = CountLimit::parse, global = true, help_heading = "Limits")]
    pub(crate) max_open_sessions: CountLimit,

    /// Whether a customer chooses the priority of the sessions that they open. With `ignore` these are all `medium`;
    /// what an admin chooses counts.
    #[arg(long, env = "CHAT_CUSTOMER_PRIORITY", value_name = "CHOICE", default_value = "accept")]
    #[arg(value_enum, global = true, help_heading = "Limits")]
    pub(crate) customer_priority: CustomerPriority,
}

impl CustomerOptions {
    /// The value of each option by its name.
    pub(super) fn shown(self) -> [(&'static str, String); 2] {
        [
            ("max_open_sessions", self.max_open_sessions.to_string()),
            ("customer_priority", self.customer_priority.to_string()),
        ]
    }
}

/// The most there may be of something, or `None` for any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CountLimit(pub(crate) Option<u32>);

impl CountLimit {
    /// Reads a whole number from 1 to a million, or `off`.
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self(None)),
            number => match values::count::<u32, 1_000_000>(number) {
                Ok(number) => Ok(Self(Some(number))),
                Err(problem) => Err(format!("{problem}, such as 20, or off")),
            },
        }
    }
}

impl fmt::Display for CountLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(number) => number.fmt(f),
            None => f.write_str("off"),
        }
    }
}

/// What becomes of the priority that a customer gives a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CustomerPriority {
    /// It counts.
    Accept,
    /// The session has the default.
    Ignore,
}

impl fmt::Display for CustomerPriority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accept => "accept",
            Self::Ignore => "ignore",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_or_off() {
        assert_eq!(CountLimit::parse("off"), Ok(CountLimit(None)));
        assert_eq!(CountLimit::parse("1").unwrap().to_string(), "1");
        for text in ["", "0", "-1", "1000001", "Off", "none"] {
            let problem = CountLimit::parse(text).unwrap_err();
            assert!(problem.ends_with("such as 20, or off"), "{problem}");
        }
    }
}
