//! Logs to standard error: for people on a terminal, else one JSON object a line.

use std::io::{self, IsTerminal, Write};
use std::panic;

use chat_http::{escape_unseen, is_caused_by_clients};
use tokio::runtime::Handle;
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};

use super::traces::{self, TraceExport};
use crate::config::{Config, LogFormat};

/// Starts logging, and the export of traces where it is configured. Everything the process reports from here on is a log
/// line, panics included. Traces are exported on `runtime`.
///
/// # Errors
/// Logging was started before, or traces cannot be exported.
pub(crate) fn start(config: &Config, runtime: &Handle) -> anyhow::Result<Option<TraceExport>> {
    let terminal = io::stderr().is_terminal();
    let format = config.effective_log_format();
    let lines =
        fmt::layer().with_writer(|| EscapedLines(io::stderr())).with_ansi(terminal && format == LogFormat::Pretty);
    let lines = match format {
        LogFormat::Pretty => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
    };
    // Libraries that report what a client did as if it were a fault of this process; `chat_http` counts it.
    // Spans of traces are no part of lines, whose own spans have the same names.
    let ours = filter_fn(|event| !is_caused_by_clients(event) && event.target() != traces::TARGET);
    let lines = lines.with_filter(config.log.targets().and(ours));
    let export = if let Some(settings) = config.traces() {
        let export = TraceExport::start(&settings, runtime)?;
        registry().with(lines).with(export.layer()).try_init()?;
        Some(export)
    } else {
        // No layer, so that spans of traces cost the comparison of a level.
        registry().with(lines).try_init()?;
        None
    };
    log_panics();
    Ok(export)
}

/// Writes lines in which every character is seen. The layer writes each line with one call.
struct EscapedLines<W>(W);

impl<W: Write> Write for EscapedLines<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.write_all(line).map(|()| line.len())
    }

    fn write_all(&mut self, line: &[u8]) -> io::Result<()> {
        match str::from_utf8(line) {
            Ok(text) => self.0.write_all(escape_unseen(text).as_bytes()),
            Err(_) => self.0.write_all(line),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A panic message has several lines and goes around the subscriber; as an event it is one line like any other.
fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("no message");
        tracing::error!(panic.location = place, "a thread panicked: {message}");
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_written_whole_with_its_unseen_characters_as_numbers() {
        let mut written = Vec::new();
        EscapedLines(&mut written).write_all("{\"user.id\":\"\u{202e}é\u{2028}\"}\n".as_bytes()).unwrap();
        EscapedLines(&mut written).write_all(b"\xff\n").unwrap();
        assert_eq!(written, b"{\"user.id\":\"\\u202e\xc3\xa9\\u2028\"}\n\xff\n");
    }
}
