//! The checks of `doctor`: each looks at one part that a node needs, and says what is wrong and what to do about it. They
//! change nothing that lasts, and run beside a node.

mod attachments;
mod database;
mod listening;
mod machine;
mod redis;
mod tokens;

use serde::Serialize;

use crate::config::Config;
use crate::wire::{self, RecountScope};

/// How much a check has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// Nothing.
    Ok,
    /// A node works, and something should be changed.
    Warn,
    /// A node does not start, does not work, or loses data.
    Fail,
}

impl Severity {
    /// As it is printed.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warn => "WARN",
            Self::Fail => "FAIL",
        }
    }
}

/// What a check has found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Diagnosis {
    /// The check.
    pub(crate) check: &'static str,
    /// How bad it is.
    pub(crate) status: Severity,
    /// What is the case.
    pub(crate) finding: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remedy: Option<String>,
}

impl Diagnosis {
    fn ok(check: &'static str, finding: impl AsRef<str>) -> Self {
        Self { check, status: Severity::Ok, finding: in_one_line(finding.as_ref()), remedy: None }
    }

    fn warn(check: &'static str, finding: impl AsRef<str>, remedy: impl Into<String>) -> Self {
        Self { status: Severity::Warn, remedy: Some(remedy.into()), ..Self::ok(check, finding) }
    }

    fn fail(check: &'static str, finding: impl AsRef<str>, remedy: impl Into<String>) -> Self {
        Self { status: Severity::Fail, remedy: Some(remedy.into()), ..Self::ok(check, finding) }
    }

    /// A failure whose text already says what to do.
    fn fail_with_remedy_in_text(check: &'static str, finding: impl AsRef<str>) -> Self {
        Self { status: Severity::Fail, ..Self::ok(check, finding) }
    }
}

/// What others say may have several lines, such as the errors of libpq; a check has one. No other control character
/// reaches a terminal either.
fn in_one_line(text: &str) -> String {
    let parts: Vec<&str> = text.split(char::is_control).map(str::trim).filter(|part| !part.is_empty()).collect();
    parts.join("; ")
}

/// What the operator asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DoctorOptions {
    /// How many rows are counted.
    pub(crate) recount: RecountScope,
    /// The least free space, in bytes, that is no warning.
    pub(crate) min_free: u64,
}

/// The diagnosis of options that are wrong or contradict each other: nothing else can be looked at then.
pub(crate) fn of_configuration(problem: String) -> Diagnosis {
    Diagnosis::fail_with_remedy_in_text("configuration", problem)
}

/// Runs all checks.
pub(crate) async fn examine(config: &Config, options: DoctorOptions) -> Vec<Diagnosis> {
    let mut found = vec![
        Diagnosis::ok("configuration", "the options are valid and do not contradict each other"),
        tokens::check(config).await,
    ];
    found.extend(database::check(config, options.recount));
    found.extend(redis::check(config).await);
    found.push(attachments::check(config).await);
    found.extend(attachments::check_fallback(config).await);
    found.extend(attachments::check_variables(config));
    found.push(machine::data_directory(config));
    found.extend(machine::disks(config, options.min_free));
    found.push(machine::descriptors(config));
    found.extend(listening::check(config));
    found
}

/// Milliseconds, as they are shown.
fn shown_ms(duration: std::time::Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
}
