//! Logs to standard error: for people on a terminal, else one JSON object a line.

use std::io::{self, IsTerminal};
use std::panic;

use chat_http::is_caused_by_clients;
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};

use crate::config::{Config, LogFormat};

/// Starts logging. Everything the process reports from here on is a log line, panics included.
///
/// # Errors
/// Logging was started before.
pub(crate) fn start(config: &Config) -> anyhow::Result<()> {
    let terminal = io::stderr().is_terminal();
    let format = config.log_format.unwrap_or(if terminal { LogFormat::Pretty } else { LogFormat::Json });
    let lines = fmt::layer().with_writer(io::stderr).with_ansi(terminal && format == LogFormat::Pretty);
    let lines = match format {
        LogFormat::Pretty => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
    };
    // Libraries that report what a client did as if it were a fault of this process; `chat_http` counts it.
    let ours = filter_fn(|event| !is_caused_by_clients(event));
    registry().with(lines.with_filter(config.log.targets().and(ours))).try_init()?;
    log_panics();
    Ok(())
}

/// A panic message has several lines and goes around the subscriber; as an event it is one line like any other.
fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("no message");
        tracing::error!(panic.location = place, "a thread panicked: {message}");
    }));
}
