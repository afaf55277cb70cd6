//! `config-reference`, `limits-reference` and `metrics-reference`: documents in `docs/reference`. Hidden, since they are for
//! developers.

use std::io::Write;

use clap::Command;

use crate::config::reference;
use crate::maintenance::PRESENCE_EVERY;
use crate::telemetry;
use crate::wire::limits_reference;

/// Prints the document of the configuration.
///
/// # Errors
/// The output cannot be written.
pub(super) fn configuration(command: &Command, out: &mut dyn Write) -> anyhow::Result<()> {
    Ok(out.write_all(reference::render(command).as_bytes())?)
}

/// Prints the document of the fixed limits.
///
/// # Errors
/// The output cannot be written.
pub(super) fn limits(out: &mut dyn Write) -> anyhow::Result<()> {
    Ok(out.write_all(limits_reference(PRESENCE_EVERY).as_bytes())?)
}

/// Prints the document of the metrics.
///
/// # Errors
/// The output cannot be written.
pub(super) fn metrics(out: &mut dyn Write) -> anyhow::Result<()> {
    Ok(out.write_all(telemetry::metrics_reference().as_bytes())?)
}
