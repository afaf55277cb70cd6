//! `config-reference`: the document in `docs/reference/configuration.md`. Hidden, since it is for developers.

use std::io::Write;

use clap::Command;

use crate::config::reference;

/// Prints the document.
///
/// # Errors
/// The output cannot be written.
pub(super) fn run(command: &Command, out: &mut dyn Write) -> anyhow::Result<()> {
    Ok(out.write_all(reference::render(command).as_bytes())?)
}
